"""The engine's log: facts, and never a word of anybody's source text."""

from __future__ import annotations

import logging
import os
import threading
from io import TextIOWrapper
from logging.handlers import RotatingFileHandler
from pathlib import Path

import platformdirs

from midfill.inference.quiet_errors import describe
from midfill.inference.transport import slug
from midfill.lsp import quiet_logging

BYTES = 2**20
OLD_FILES = 2


def log_file(model: str) -> Path:
    """Where an engine that was started on demand writes its log."""
    folder = Path(platformdirs.user_log_dir("midfill", appauthor=False))
    return folder / f"engine-{slug(model)}.log"


def log_to_stderr(*, as_json: bool = False) -> None:
    quiet_logging.set_up(as_json=as_json)
    threading.excepthook = _log_thread_death


def log_to_file(file: Path) -> None:
    """Write the log to a file; a disk that is full or read-only costs the log, not the engine."""
    log_to_stderr()
    try:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        handler = PrivateRotatingFile(file)
    except OSError:
        return
    handler.setFormatter(quiet_logging.QuietFormatter())
    logging.getLogger().handlers = [handler]


class PrivateRotatingFile(RotatingFileHandler):
    """A log file of mode 0600 that starts anew when it is full."""

    def __init__(self, file: Path) -> None:
        super().__init__(file, maxBytes=BYTES, backupCount=OLD_FILES, encoding="utf-8")

    def _open(self) -> TextIOWrapper:
        handle = os.open(self.baseFilename, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        return TextIOWrapper(os.fdopen(handle, "ab"), encoding=self.encoding)


def _log_thread_death(death: threading.ExceptHookArgs) -> None:
    if death.exc_value is not None:
        logging.getLogger(__name__).error("a thread died: %s", describe(death.exc_value))
