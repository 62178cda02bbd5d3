"""The part of a document that is sent to the engine.

The engine keeps what it has encoded and only encodes what is new behind it, so the start of the
prefix must stay where it is while somebody types. It moves in steps of many lines.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice

from midfill.inference.text.line_breaks import LINE_BREAK

PREFIX_CHARACTERS = 64 * 1024
"""At most so many characters before the hole."""

SUFFIX_CHARACTERS = 16 * 1024
"""At most so many characters behind it."""

LINE_STEP = 256
"""The prefix starts at a line whose number, from 0, is a multiple of this."""

CHARACTER_STEP = 16 * 1024
"""Where lines are too long for that, it starts at a multiple of so many characters."""


@dataclass(frozen=True, slots=True)
class Window:
    """The text around a hole, as it stands in the document."""

    prefix: str
    suffix: str


def window_around(text: str, start: int, end: int) -> Window:
    """Cut out what the engine is to see of ``text`` around the hole from ``start`` to ``end``.

    Depends on nothing behind ``start`` for where the prefix begins.
    """
    first = _prefix_start(text, start)
    last = end + SUFFIX_CHARACTERS
    if _splits_pair(text, last):
        last -= 1
    return Window(text[first:start], text[end:last])


def _prefix_start(text: str, hole: int) -> int:
    earliest = hole - PREFIX_CHARACTERS
    if earliest <= 0:
        return 0
    by_line = _line_anchor(text, earliest, hole)
    if by_line is not None and hole - by_line >= PREFIX_CHARACTERS // 2:
        return by_line
    return _character_anchor(text, earliest)


def _line_anchor(text: str, earliest: int, hole: int) -> int | None:
    """The first line start at or behind ``earliest`` that is a whole number of steps down."""
    if _splits_pair(text, earliest):
        earliest += 1
    breaks = text.count("\n", 0, earliest)
    if carriage_returns := text.count("\r", 0, earliest):
        breaks += carriage_returns - text.count("\r\n", 0, earliest)
    missing = -breaks % LINE_STEP
    if missing == 0:
        if text[earliest - 1] in "\r\n":
            return earliest
        missing = LINE_STEP
    found = LINE_BREAK.finditer(text, earliest, hole)
    anchor = next(islice(found, missing - 1, None), None)
    return anchor.end() if anchor else None


def _character_anchor(text: str, earliest: int) -> int:
    """The first whole number of character steps at or behind ``earliest``.

    Where a line starts not far behind it, that line's start.
    """
    anchor = -(-earliest // CHARACTER_STEP) * CHARACTER_STEP
    line_break = LINE_BREAK.search(text, anchor - 1, anchor + CHARACTER_STEP // 2)
    if line_break:
        anchor = line_break.end()
    return anchor + 1 if _splits_pair(text, anchor) else anchor


def _splits_pair(text: str, at: int) -> bool:
    """Whether a cut at ``at`` would part ``\\r\\n`` or the two halves of a surrogate pair."""
    if not 0 < at < len(text):
        return False
    left, right = text[at - 1], text[at]
    return (left == "\r" and right == "\n") or (
        "\ud800" <= left <= "\udbff" and "\udc00" <= right <= "\udfff"
    )
