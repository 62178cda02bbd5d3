"""Processes of the benchmark's own: nothing of the user's engine, statistics or logs is touched."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

HISTORY = ("state", "statistics", "suggestions.sqlite3")
"""Where the server's own records are, in the scratch folder."""


def own_environment(scratch: Path) -> dict[str, str]:
    """The environment of the server and its engine, with folders of their own.

    The weights stay where they are.
    """
    folders = {
        "MIDFILL_RUNTIME_DIR": scratch / "run",
        "MIDFILL_STATE_DIR": scratch / "state",
        "XDG_STATE_HOME": scratch / "logs",
    }
    return os.environ | {name: str(folder) for name, folder in folders.items()}
