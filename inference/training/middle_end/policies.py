"""Ways to end a middle, and how sure the head has to be in each."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

from midfill.inference.ending import Bars
from midfill.inference.training.middle_end.replay import Outcome, Trace, ended, outcome
from midfill.inference.wire import Extent, Stop

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

NEVER = 2.0
"""A bar that no chance reaches."""

AGREEING = (0.3, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, NEVER)
ENDS = (0.5, 0.9, 0.98, NEVER)
CONFIRMS = (0.0, 0.1, 0.3, 0.5, NEVER)
"""Of `Stop.DEDENT`: no other rule is ever wrong often enough for the head to know better."""

TOLERANCE = 0.03
"""What of the exact share on the true text is given for ending more of the base's own texts."""

RULES_ALONE = {extent: Bars(NEVER, NEVER) for extent in Extent}
NO_DEDENT = {extent: Bars(NEVER, NEVER, {Stop.DEDENT: NEVER}) for extent in Extent}


@dataclass(frozen=True, slots=True)
class Replay:
    """A text and the head's chances along it."""

    trace: Trace
    chances: Sequence[float]

    def outcome(self, bars: Mapping[Extent, Bars], *, rules: bool = True) -> Outcome:
        end = ended(self.trace, self.chances, bars, rules=rules)
        return outcome(self.trace, end[0] if end else None)


def exact_share(replays: Iterable[Replay], bars: Mapping[Extent, Bars], *, rules: bool) -> float:
    """The share of exact ends: of each kind of hole first, then the mean over kinds."""
    kinds: dict[str, list[bool]] = {}
    for one in replays:
        exact = one.outcome(bars, rules=rules) is Outcome.EXACT
        kinds.setdefault(one.trace.hole.kind, []).append(exact)
    shares = [sum(exacts) / len(exacts) for exacts in kinds.values()]
    return sum(shares) / len(shares) if shares else 0.0


def ended_share(replays: Sequence[Replay], bars: Mapping[Extent, Bars], *, rules: bool) -> float:
    """The share of texts in which an end is found at all."""
    found = [ended(one.trace, one.chances, bars, rules=rules) is not None for one in replays]
    return sum(found) / len(found) if found else 0.0


def choose_bars(
    forced: Sequence[Replay], free: Sequence[Replay], *, rules: bool
) -> dict[Extent, Bars]:
    """The bars that suit best, for each extent.

    On the true text it never hurts to wait, for the suffix always follows; on what the base writes
    by itself it may never follow. So of all bars that are nearly as exact on the true text as the
    best, those are chosen that end most of the base's own texts.

    Args:
        forced: the true texts.
        free: the base's own.
        rules: whether the rules are asked too.
    """
    return {
        extent: _chosen(
            [one for one in forced if one.trace.hole.extent is extent],
            [one for one in free if one.trace.hole.extent is extent],
            extent,
            rules=rules,
        )
        for extent in Extent
    }


def _chosen(
    forced: Sequence[Replay], free: Sequence[Replay], extent: Extent, *, rules: bool
) -> Bars:
    doubting = CONFIRMS if rules and extent is Extent.LINES else (0.0,)
    exact: dict[int, float] = {}
    # High bars first, so that they win where nothing is gained by lower ones.
    candidates = [
        Bars(ends, agreeing, {Stop.DEDENT: confirms} if confirms else {})
        for confirms, ends, agreeing in product(doubting, reversed(ENDS), reversed(AGREEING))
        if agreeing <= ends
    ]
    for number, bars in enumerate(candidates):
        exact[number] = exact_share(forced, {extent: bars}, rules=rules)
    enough = max(exact.values()) - (TOLERANCE if extent is Extent.LINES else 0.0)
    best = max(
        (number for number in exact if exact[number] >= enough),
        key=lambda number: (
            ended_share(free, {extent: candidates[number]}, rules=rules),
            exact[number],
        ),
    )
    return candidates[best]
