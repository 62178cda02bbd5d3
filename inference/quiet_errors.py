"""Exceptions as logs may hold them: without messages, which may quote source text."""

from __future__ import annotations

from pathlib import Path
from traceback import extract_tb
from typing import TYPE_CHECKING

from midfill.inference.errors import MidfillError

if TYPE_CHECKING:
    from types import TracebackType

FRAMES = 4
"""So many of the innermost frames of an exception are named."""


def describe(error: BaseException) -> str:
    """An exception without its message unless that is ours: its type and where it came from."""
    if isinstance(error, MidfillError):
        return f"{type(error).__name__}: {error}"
    return f"{type(error).__name__}{_places(error.__traceback__)}"


def _places(traceback: TracebackType | None) -> str:
    frames = extract_tb(traceback)[-FRAMES:]
    return "".join(f" < {Path(at.filename).name}:{at.lineno}" for at in reversed(frames))
