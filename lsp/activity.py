"""What the server is doing, for a status line."""

from __future__ import annotations

from enum import StrEnum


class Activity(StrEnum):
    """Besides the state of the engine."""

    IDLE = "idle"
    THINKING = "thinking"
    """The engine works on a suggestion."""
    PAUSED = "paused"
    """Nothing is suggested unasked for a while."""
