"""Telling somebody how far long work has come."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Progress:
    """One line for people, and how much of the work is done where that is known."""

    message: str
    fraction: float | None = None
    """0 to 1."""
    figures: str = ""
    """What else is worth knowing; may change all the time, which the message does not."""


ProgressListener = Callable[[Progress], None]


def nobody_listens(progress: Progress) -> None:
    """A listener for callers that do not show progress."""
