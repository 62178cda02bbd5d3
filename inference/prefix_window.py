"""Where the part of the prefix begins that a model reads.

What is encoded of it can be kept only as long as it begins at the same place. So it begins at an
*anchor*, a line that is one by the text around it: neither typing at the end, nor an edit far
above, nor how much of the document a request carries makes it another.

Source: Bjørner, Blass and Gurevich, Content-dependent chunking for differential compression, the
local maximum approach, 2010; here it is the minimum.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol
from zlib import crc32

if TYPE_CHECKING:
    from collections.abc import Iterator

CHARACTERS_PER_TOKEN = 8
"""More than source code has on average; how far to look for a window's tokens."""

APART = 12
"""Lines between two anchors, at least; there are about twice as many."""

MARKED_BY = 3
"""Lines that a line's mark is made of, itself the first: single ones are often alike."""

STEPS = (1024, 128)
"""Characters from one place to the next where a window may start that has no anchor near its first
affordable token, tried in this order."""


class OffsetTokenizer(Protocol):
    """A tokenizer that says which characters each token stands for."""

    def encode_with_offsets(self, text: str) -> tuple[list[int], list[tuple[int, int]]]: ...


def prefix_window_start(tokenizer: OffsetTokenizer, prefix: str, budget: int) -> int:
    """Where the prefix window starts, as an offset into ``prefix``.

    The earliest anchor that leaves at most ``budget`` tokens. Where that would be less than half of
    what can be had, such as in text without lines, a place is taken of those that stand about every
    thousand characters; where text is so dense in tokens that such a step is half the window, about
    every hundred. None depends on where the prefix ends, so typing leaves the window's start where
    it is until a whole step no longer fits.
    """
    earliest = max(0, len(prefix) - budget * CHARACTERS_PER_TOKEN)
    ids, spans = tokenizer.encode_with_offsets(prefix[earliest:])
    if earliest == 0 and len(ids) <= budget:
        return 0
    # The first offset behind which no more than the budget's tokens begin.
    affordable = earliest + (spans[-budget][0] if len(ids) > budget else 0)
    latest = affordable + (len(prefix) - affordable) // 2
    for start in _starts(prefix, affordable, latest):
        if start <= latest:
            return start
    return affordable


def _starts(prefix: str, earliest: int, latest: int) -> Iterator[int]:
    """Places at or behind ``earliest`` where a window may start, the best first."""
    if (anchor := _anchor(prefix, earliest, latest)) is not None:
        yield anchor
    for step in STEPS:
        yield _step(prefix, earliest, step)


def _anchor(prefix: str, earliest: int, latest: int) -> int | None:
    """The first anchor of a stretch.

    Its mark is lower than those of as many lines above it, and as low as those below it.
    """
    starts = _line_starts(prefix, earliest, latest)
    marks = [
        crc32(prefix[start:end].encode("utf-8", "surrogatepass"))
        for start, end in zip(starts, starts[MARKED_BY:], strict=False)
    ]
    # Behind the last of these somebody may still be typing.
    for at, start in enumerate(starts[: max(0, len(marks) - APART)]):
        above, below = marks[max(at - APART, 0) : at], marks[at + 1 : at + 1 + APART]
        lowest = all(marks[at] < mark for mark in above) and all(marks[at] <= it for it in below)
        if lowest and earliest <= start <= latest:
            return start
    return None


def _line_starts(prefix: str, earliest: int, latest: int) -> list[int]:
    """Of the lines in a stretch, and of as many around it as decide about them."""
    first = earliest
    for _ in range(APART + 1):
        first = prefix.rfind("\n", 0, max(first - 1, 0)) + 1
    found, behind = [first], 0
    while behind < APART + MARKED_BY and (start := prefix.find("\n", found[-1]) + 1):
        found.append(start)
        behind += start > latest
    return found


def _step(prefix: str, earliest: int, step: int) -> int:
    """The first place at or behind ``earliest`` of those so many characters apart.

    At the start of a line, where one is near.
    """
    place = earliest // step * step
    while True:
        line_start = prefix.find("\n", place - 1, place + step // 2) + 1 if place else 0
        if (line_start or place) >= earliest:
            return line_start or place
        place += step
