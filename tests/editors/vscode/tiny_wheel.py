"""A wheel called midfill that brings the Midfill under test, in a moment and without a network."""

from __future__ import annotations

import zipfile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

NAME = "midfill-0.1.0"

MAIN = """\
import os
import sys


def main():
    os.execv({program!r}, [{program!r}, *sys.argv[1:]])
"""

FILES = {
    "METADATA": "Metadata-Version: 2.1\nName: midfill\nVersion: 0.1.0\n",
    "WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    "entry_points.txt": "[console_scripts]\nmidfill = midfill_under_test:main\n",
}


def tiny_wheel(folder: Path, program: Path) -> Path:
    """Make it.

    Args:
        program: what its ``midfill`` runs.
    """
    wheel = folder / f"{NAME}-py3-none-any.whl"
    files = {f"{NAME}.dist-info/{name}": text for name, text in FILES.items()}
    files["midfill_under_test.py"] = MAIN.format(program=str(program))
    record = [*files, f"{NAME}.dist-info/RECORD"]
    files[record[-1]] = "".join(f"{name},,\n" for name in record)
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return wheel
