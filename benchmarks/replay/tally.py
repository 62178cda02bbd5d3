"""What happened in a replay, as the typist saw it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class Fate(StrEnum):
    """What became of a request."""

    IN_TIME = "shown before the next key"
    NOTHING = "answered with nothing before the next key"
    OVERTAKEN = "overtaken by the next key"


@dataclass(frozen=True, slots=True)
class Request:
    """One request, made after an edit.

    Attributes:
        milliseconds: from the edit to the answer; None without one before the next key.
        typed_through: the edit wrote what was suggested, and the rest of that was the answer.
    """

    fate: Fate
    milliseconds: float | None
    typed_through: bool = False


@dataclass(slots=True)
class Tally:
    """Grows while a replay goes on.

    Attributes:
        keys: that were pressed to write or delete.
        spared: strokes of the traces that suggestions made.
        written: characters that came into the documents, and
        accepted: those of them that came from suggestions.
        acceptances: suggestions taken, and
        in_part: those of them of which the first line was taken.
        suggestions: different ones that were on the screen before the next key,
        read: those of them that there was time to see.
        seconds: that it took.
    """

    traces: int = 0
    keys: int = 0
    spared: int = 0
    written: int = 0
    accepted: int = 0
    acceptances: int = 0
    in_part: int = 0
    suggestions: int = 0
    read: int = 0
    seconds: float = 0.0
    requests: list[Request] = field(default_factory=list)
