"""Ways to end a middle, and how likely an end has to be for the head's word to count."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import product
from statistics import mean
from typing import TYPE_CHECKING

from midfill.inference.ending import Bars
from midfill.inference.evaluation.edit_similarity import edit_similarity
from midfill.inference.training.middle_end.replay import (
    Outcome,
    cut_short,
    ended,
    likely_ends,
    outcome,
)
from midfill.inference.wire import Extent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from midfill.inference.ending import LikelyEnd
    from midfill.inference.training.middle_end.replay import Trace

NEVER = 2.0
"""A bar that no chance reaches."""

SURE = (0.5, 0.6, 0.7, 0.8, 0.9, NEVER)
PATIENCE = (8, 16, 24, 32, 48)
POSSIBLE = (0.1, 0.2, 0.3, 0.5, NEVER)

TOLERANCE = 0.03
"""What of the best sum of shares is given for writing less: nobody waits for what is cut off."""


@dataclass(frozen=True, slots=True)
class Policy:
    """One way to end a middle.

    Attributes:
        name: in the table.
        bars: how likely the head's ends have to be; None if it is not asked.
        rules: whether the rules are asked.
        dedent: whether a dedent ends the middle even where something visible follows.
    """

    name: str
    bars: Bars | None = None
    rules: bool = True
    dedent: bool = False


DESIGN = Policy("rules with dedent", dedent=True)
RULES_ALONE = Policy("rules")


@dataclass(frozen=True, slots=True)
class Replay:
    """A text, and the likeliest end before each of its slots."""

    trace: Trace
    likely: Sequence[LikelyEnd]
    _similarities: dict[str, float] = field(default_factory=dict)

    @classmethod
    def of(cls, trace: Trace, chances: Sequence[float]) -> Replay:
        """A replay with the head's chances along the text."""
        return cls(trace, likely_ends(trace, chances))

    def ended(self, policy: Policy) -> tuple[str, int] | None:
        """The finished middle, and the slot at which its end is found."""
        return ended(self.trace, self.likely, policy.bars, rules=policy.rules, dedent=policy.dedent)

    def outcome(self, policy: Policy) -> Outcome:
        end = self.ended(policy)
        return outcome(self.trace, end[0] if end else None)

    def written(self, policy: Policy) -> int:
        """Tokens until the end is found, or all."""
        end = self.ended(policy)
        return end[1] if end else self.trace.slots

    def shown(self, policy: Policy) -> str:
        """What a user would get."""
        end = self.ended(policy)
        return end[0] if end else cut_short(self.trace, self.likely, policy.bars)

    def similarity(self, policy: Policy) -> float:
        """Of what a user would get to the true middle."""
        text = self.shown(policy).strip()
        if text not in self._similarities:
            self._similarities[text] = edit_similarity(text, self.trace.hole.middle.strip())
        return self._similarities[text]


def choose_bars(forced: Sequence[Replay], free: Sequence[Replay], *, rules: bool = True) -> Bars:
    """The bars that write least of those with nearly the largest sum of two shares.

    On the true text it never hurts to wait, for the suffix always follows; on what the base writes
    by itself it may never follow. What counts is the share of exact ends on the one and the
    similarity of what would be shown on the other, over holes of several lines.

    Args:
        forced: the true texts.
        free: the base's own.
        rules: whether the rules are asked too.
    """
    forced, free = (
        [one for one in replays if one.trace.hole.extent is Extent.LINES]
        for replays in (forced, free)
    )
    # High bars first, so that they win where nothing is gained by lower ones.
    candidates = [
        Bars(sure, patience, possible)
        for sure, patience, possible in product(
            reversed(SURE), reversed(PATIENCE), reversed(POSSIBLE)
        )
        if possible <= sure
    ]
    policies = [Policy("", bars, rules=rules) for bars in candidates]
    worth = [_worth(policy, forced, free) for policy in policies]
    enough = max(worth) - TOLERANCE
    good = [policy for policy, value in zip(policies, worth, strict=True) if value >= enough]
    chosen = min(good, key=lambda policy: _mean_of_kinds(free, lambda one: one.written(policy)))
    assert chosen.bars
    return chosen.bars


def _worth(policy: Policy, forced: Iterable[Replay], free: Iterable[Replay]) -> float:
    exact = _mean_of_kinds(forced, lambda one: float(one.outcome(policy) is Outcome.EXACT))
    return exact + _mean_of_kinds(free, lambda one: one.similarity(policy))


def _mean_of_kinds(replays: Iterable[Replay], value: Callable[[Replay], float]) -> float:
    """The mean over kinds of holes of their means; zero of nothing."""
    kinds: dict[str, list[float]] = {}
    for one in replays:
        kinds.setdefault(one.trace.hole.kind, []).append(value(one))
    return mean(map(mean, kinds.values())) if kinds else 0.0
