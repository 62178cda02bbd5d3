"""What somebody takes of a suggestion who knows what they want to write, and where they go on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .trace import Run

FEWEST = 2
"""Visible characters; for one it is as quick to type it."""


def taken_of(suggestion: str, wanted: str) -> str:
    """The part of a suggestion that is taken: all of it, else its first line, else nothing.

    Args:
        wanted: all that is still to be written here.
    """
    for part in (suggestion, _first_line(suggestion)):
        if len("".join(part.split())) < FEWEST or not wanted.startswith(part):
            continue
        if not _in_word(part[-1:]) or not _in_word(wanted[len(part) : len(part) + 1]):
            return part
    return ""


@dataclass(frozen=True, slots=True)
class Resumption:
    """Where a run goes on.

    Attributes:
        stroke: the number of the next one.
        owed: what the editor has to add first, as indentation that comes with a line break.
    """

    stroke: int
    owed: str


def still_wanted(run: Run, state: str) -> str | None:
    """What is to be written where ``state`` stands; None if something is to be deleted first."""
    written = run.written
    return written[len(state) :] if written.startswith(state) else None


def resume(run: Run, stroke: int, state: str) -> Resumption:
    """Where to go on once ``state`` stands at the place, which is a beginning of what is wanted.

    Args:
        stroke: the one that would have come next.
    """
    states = run.states()
    for number in range(stroke, len(states)):
        if states[number].startswith(state):
            return Resumption(number, states[number][len(state) :])
    raise ValueError("what stands there is not on the way to what is wanted")


def _first_line(text: str) -> str:
    """Up to the first line break behind something visible."""
    blank = len(text) - len(text.lstrip())
    end = text.find("\n", blank)
    return text if end < 0 else text[:end].removesuffix("\r")


def _in_word(character: str) -> bool:
    return character.isalnum() or character == "_"
