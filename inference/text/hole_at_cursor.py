"""Deciding what to fill at a cursor, if anything."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

MAX_VISIBLE_RIGHT = 8
"""So many visible characters may stand right of the cursor, closers not counted."""

_REST_OF_LINE = re.compile(r"[^\r\n]*")
_CLOSERS = re.compile(r"""[\s)\]}>"'`,;:]+""")


class Reason(StrEnum):
    """Why there is nothing to fill."""

    INSIDE_WORD = "inside-word"
    REST_OF_LINE = "rest-of-line"
    LONE_SURROGATE = "lone-surrogate"
    EMPTY_DOCUMENT = "empty-document"

    @property
    def sentence(self) -> str:
        return _SENTENCES[self]


_SENTENCES = {
    Reason.INSIDE_WORD: "The cursor stands inside a word.",
    Reason.REST_OF_LINE: "The line goes on to the right of the cursor.",
    Reason.EMPTY_DOCUMENT: "There is no text yet to go by.",
    Reason.LONE_SURROGATE: "The text holds a lone surrogate, which has no UTF-8 form.",
}


@dataclass(frozen=True, slots=True)
class Hole:
    """What a fill replaces: the characters from ``start`` to before ``end``."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class NoHole:
    """There is nothing to fill here."""

    reason: Reason


def hole_at_cursor(text: str, offset: int, *, explicit: bool = False) -> Hole | NoHole:
    """Decide what to fill at a cursor: the rest of its line, or one line where the line is blank.

    What is right of the cursor stays, so the hole is empty.

    Args:
        text: the whole document.
        offset: the cursor, in characters from the start of ``text``.
        explicit: somebody asked for a fill just here; then it does not matter what stands right
            of the cursor.

    Raises:
        ValueError: the cursor is outside the document.
    """
    if not 0 <= offset <= len(text):
        raise ValueError(f"a cursor at {offset} is outside a text of {len(text)} characters")
    if _has_lone_surrogate(text):
        return NoHole(Reason.LONE_SURROGATE)
    if not explicit and (reason := _objection(text, offset)):
        return NoHole(reason)
    return Hole(offset, offset)


def _objection(text: str, offset: int) -> Reason | None:
    """What speaks against suggesting unasked here."""
    if not text or text.isspace():
        return Reason.EMPTY_DOCUMENT
    right = _REST_OF_LINE.match(text, offset)
    rest = right.group() if right else ""
    if rest[:1].isalnum() or rest[:1] == "_":
        return Reason.INSIDE_WORD
    if len(_CLOSERS.sub("", rest)) > MAX_VISIBLE_RIGHT:
        return Reason.REST_OF_LINE
    return None


def _has_lone_surrogate(text: str) -> bool:
    if text.isascii():
        return False
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False
