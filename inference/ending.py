"""Where the middle ends: the rules of `stopping` and the end head's chances, decided together.

The rules see text only. They are sure about one line, and go wrong where several lines are wanted:
a dedent may belong to the middle, and a suffix that is never written again word for word ends
nothing. The head has read the suffix. It ends the middle where it is sure, and a rule's end holds
only where the head thinks it possible.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from midfill.inference.stopping import RULES, Ending
from midfill.inference.wire import Stop

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from midfill.inference.stopping import Surroundings
    from midfill.inference.wire import Extent


@dataclass(frozen=True, slots=True)
class Chance:
    """What the head said behind one token.

    Attributes:
        length: of the middle's text by then, in characters.
        of_end: the chance that the middle ends before the next token.
    """

    length: int
    of_end: float


@dataclass(frozen=True, slots=True)
class Bars:
    """How sure the head has to be.

    Attributes:
        ends: from this chance on it ends the middle.
        agreeing: the same where the token that would follow is one that the suffix goes on with.
        confirms: below this chance it takes a rule's end back; rules not named always hold.
    """

    ends: float
    agreeing: float
    confirms: Mapping[Stop, float] = field(default_factory=dict)


def end_by_head(
    middle: str,
    last: str,
    following: str,
    suffix: str,
    around: Surroundings,
    chance: float,
    bars: Bars,
) -> Ending | None:
    """Whether the middle ends before the token that would follow.

    Args:
        middle: all text so far; nothing ends before something visible is written.
        last: the text of its last token, of which the end may belong to the suffix already.
        following: the text of the token that would follow.
        suffix: the text behind the hole.
        around: the hole's surroundings.
        chance: the head's, that it ends here.
        bars: how sure it has to be.
    """
    if chance < min(bars.ends, bars.agreeing) or not may_end(middle, following, around):
        return None
    in_line = bool(around.line_after.strip())
    wanted = suffix if in_line else around.next_line
    if chance < (bars.agreeing if agree(following, wanted) else bars.ends):
        return None
    if in_line:
        return Ending(len(middle) - _overlap(last, suffix), Stop.REST_OF_LINE)
    return Ending(len(middle.rstrip()), Stop.SUFFIX)


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


def agree(following: str, wanted: str) -> bool:
    """Whether ``following`` shows something, and ``wanted`` begins with the same visible text."""
    shown = following.strip()
    return bool(shown) and bool(wanted.strip()) and _same_start(shown, wanted.lstrip())


def _same_start(one: str, other: str) -> bool:
    """Whether the shorter one begins the longer one."""
    return one.startswith(other) or other.startswith(one)


def end_by_rules(
    middle: str,
    around: Surroundings,
    extent: Extent,
    chances: Sequence[Chance],
    bars: Bars,
) -> Ending | None:
    """The earliest end that a rule finds and the head does not take back.

    Args:
        middle: all text so far.
        around: the hole's surroundings.
        extent: how far the middle may go.
        chances: behind each token so far, as far as they are known; without any the rules decide.
        bars: how sure the head has to be.
    """
    return confirmed(rule_endings(middle, around, extent), middle, chances, bars)


def rule_endings(middle: str, around: Surroundings, extent: Extent) -> tuple[Ending, ...]:
    """What each rule finds, in the rules' order."""
    found = ((stop, rule(middle, around)) for stop, rule in RULES[extent])
    return tuple(Ending(at, stop) for stop, at in found if at is not None)


def confirmed(
    endings: Sequence[Ending], middle: str, chances: Sequence[Chance], bars: Bars
) -> Ending | None:
    """The earliest of the ends that the head does not take back; of two, the first rule's."""
    holding = [
        ending
        for ending in endings
        if _chance_at(middle, ending.at, chances) >= bars.confirms.get(ending.stop, 0.0)
    ]
    return min(holding, key=lambda ending: ending.at, default=None)


def _chance_at(middle: str, at: int, chances: Sequence[Chance]) -> float:
    """The best chance of an end at ``at``, or anywhere in the blank space before it.

    One where nothing is known: what the head has not seen it does not take back.
    """
    earliest = len(middle[:at].rstrip())
    first_behind = next((c.length for c in chances if c.length >= at), at)
    known = [c.of_end for c in chances if earliest <= c.length <= first_behind]
    return max(known, default=1.0)


def _overlap(last: str, suffix: str) -> int:
    """How many characters of ``last``, but not all, the suffix begins with."""
    for count in range(len(last) - 1, 0, -1):
        if suffix.startswith(last[-count:]):
            return count
    return 0
