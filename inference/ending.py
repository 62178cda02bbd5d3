"""Where the middle ends if no rule says so: the chances of an end along what is written.

The rules of `stopping` wait for the suffix to be written again, word for word. Where the model
writes something else instead, a head that has read the suffix tells where the middle has probably
ended. One place counts: the likeliest so far. If the suffix has not shown up some tokens behind it,
or when a limit is reached, the middle ends there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from midfill.inference.stopping import Ending
from midfill.inference.wire import Stop

if TYPE_CHECKING:
    from midfill.inference.stopping import Surroundings


@dataclass(frozen=True, slots=True)
class Bars:
    """How likely an end has to be.

    Attributes:
        sure: from this chance on the middle ends there if no rule ends it within ``patience``.
        patience: tokens.
        possible: from this chance on it ends there when a limit cuts the text short.
    """

    sure: float
    patience: int
    possible: float


@dataclass(frozen=True, slots=True)
class LikelyEnd:
    """A place where the middle may end.

    Attributes:
        at: offset into the middle's text.
        chance: 0 … 1.
        tokens: written by then.
    """

    at: int
    chance: float
    tokens: int


NOWHERE = LikelyEnd(0, 0.0, 0)


def likelier_end(
    best: LikelyEnd,
    middle: str,
    last: str,
    following: str,
    chance: float,
    tokens: int,
    around: Surroundings,
) -> LikelyEnd:
    """The likeliest end once the chance of one more place is known; of equals, the first.

    Args:
        best: the likeliest so far.
        middle: all text before the place.
        last: the text of its last token, of which the end may belong to the rest of the line.
        following: the text of the token that follows it.
        chance: that the middle ends there.
        tokens: written by then.
        around: the hole's surroundings.
    """
    if chance <= best.chance or not may_end(middle, following, around):
        return best
    if around.line_after.strip():
        return LikelyEnd(len(middle) - _overlap(last, around.line_after), chance, tokens)
    return LikelyEnd(len(middle.rstrip()), chance, tokens)


def overdue_end(best: LikelyEnd, tokens: int, bars: Bars) -> Ending | None:
    """The likeliest end, if nothing has confirmed it for too long; ``tokens`` are written."""
    if best.chance >= bars.sure and tokens - best.tokens >= bars.patience:
        return Ending(best.at, Stop.LIKELY_END)
    return None


def end_at_limit(best: LikelyEnd, bars: Bars) -> Ending | None:
    """The likeliest end, if it is likely enough to cut a text there that a limit cuts short."""
    return Ending(best.at, Stop.LIKELY_END) if best.chance >= bars.possible else None


def may_end(middle: str, following: str, around: Surroundings) -> bool:
    """Whether the text alone lets the middle end before ``following``.

    Inside a line it may end anywhere. Whole lines end in the blank space behind a line: before its
    break, or at any token behind that while what is written goes on as the next line does. The more
    of that line is written, the better the head knows.
    """
    if not middle.strip():
        return False
    if around.line_after.strip():
        return True
    blank = following.lstrip(" \t")
    if not following or blank.startswith("\n"):
        return True
    _, line_break, indent = middle[len(middle.rstrip()) :].rpartition("\n")
    return bool(line_break) and _same_start(indent + following, around.next_line)


def _same_start(one: str, other: str) -> bool:
    """Whether the shorter one begins the longer one."""
    return one.startswith(other) or other.startswith(one)


def _overlap(last: str, rest: str) -> int:
    """How many characters of ``last``, but not all, ``rest`` begins with."""
    for count in range(len(last) - 1, 0, -1):
        if rest.startswith(last[-count:]):
            return count
    return 0
