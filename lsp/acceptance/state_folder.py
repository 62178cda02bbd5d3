"""The folder in which Midfill keeps what it has learnt about its own suggestions."""

from __future__ import annotations

import os
from pathlib import Path

STATE_FOLDER_VARIABLE = "MIDFILL_STATE_DIR"
"""The environment variable that moves it to another place."""

FOLDER, NAME = "statistics", "suggestions.sqlite3"


def state_folder() -> Path:
    """``MIDFILL_STATE_DIR``, or the user's own place for such things."""
    if chosen := os.environ.get(STATE_FOLDER_VARIABLE):
        return Path(chosen).expanduser().absolute()
    import platformdirs

    return platformdirs.user_state_path("midfill", appauthor=False)


def history_file() -> Path:
    """Where records of suggestions are kept: in a folder that is closed to others."""
    return state_folder() / FOLDER / NAME
