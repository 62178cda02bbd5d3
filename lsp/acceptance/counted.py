"""How often something happened to requests, by hour and language."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

HOUR = 3600


class Event(StrEnum):
    """What happens to a request for a suggestion."""

    ASKED = "asked"
    """An editor asked."""
    ENGINE = "engine"
    """The engine was asked."""
    KNOWN = "known"
    """It was answered from memory."""
    SHOWN = "shown"
    """It was answered with a suggestion."""
    KEPT_BACK = "kept-back"
    """It was answered with nothing, for a reason."""


@dataclass(frozen=True, slots=True)
class Counted:
    """One number.

    Attributes:
        hour: hours since the epoch.
        reason: the code of a `Silence`, for what was kept back.
    """

    hour: int
    language: str
    event: Event
    reason: str
    count: int
