"""Print what an extra of pyproject.toml asks for: one line each.

pip install "$(python scripts/extra.py cluster)"
"""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent / "pyproject.toml"


def main() -> None:
    extras = tomllib.loads(PROJECT.read_text())["project"]["optional-dependencies"]
    print(*extras[sys.argv[1]], sep="\n")


if __name__ == "__main__":
    main()
