"""How many tokens to guess at each step: what a wider canvas costs here, against what it brings.

Where reading the weights is what takes time, further slots are nearly free; where arithmetic is, a
canvas of sixteen slots takes several times as long as one of four. And guesses come true more often
in some code than in other. Where several fills share a step, so do they share the reading, and what
is left to each is the arithmetic: they guess less, or nothing. The outcome is the same whatever is
guessed; only the time is not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

PRIOR_WEIGHT = 30.0
"""How many verified guesses the expectation before the first fill is worth."""

MEMORY = 0.98
"""What earlier guesses still count for when a further one has been verified."""

FOUND_RIGHT = 0.7
"""How often a token that was looked up is expected to be right, if those before it are."""

STARTED_RIGHT = 0.75
"""The same of tokens that the first step of a request looks up, before anything is guessed."""

BELIEF_HOLDS = 0.95
"""How often what is left of the last middle is expected to begin right."""

MOST_FOUND = 12
"""Tokens looked up for one step, at most."""


@dataclass(frozen=True, slots=True)
class Verified:
    """How many guesses a step verified, and how many from the first on were right."""

    guesses: int
    right: int


@dataclass(slots=True)
class _Rate:
    """How often something has come true of late, begun with what is expected."""

    right: float
    seen: float = PRIOR_WEIGHT

    @classmethod
    def expected(cls, chance: float) -> _Rate:
        return cls(PRIOR_WEIGHT * chance)

    @property
    def chance(self) -> float:
        return self.right / self.seen

    def note(self, came_true: bool) -> None:
        self.seen = MEMORY * self.seen + 1
        self.right = MEMORY * self.right + came_true

    def note_run(self, step: Verified) -> None:
        """Take in a run of tokens, each of which counts only if those before it were right."""
        for i in range(min(step.guesses, step.right + 1)):
            self.note(i < step.right)


class Pace:
    """Chooses the number of guesses with the most certain tokens a second."""

    def __init__(self, costs: Mapping[int, float], expected: Sequence[float]) -> None:
        """Begin with what is expected.

        Args:
            costs: seconds of a step by its number of guesses.
            expected: how often the first, second, … guess is right if all before it are; as many
                as ``costs`` has guesses at most.
        """
        self._costs = dict(costs)
        self._guessed = [_Rate.expected(chance) for chance in expected]
        self._found = _Rate.expected(FOUND_RIGHT)
        self._started = _Rate.expected(STARTED_RIGHT)
        self._belief = _Rate.expected(BELIEF_HOLDS)

    def guesses(self, sharing: int = 1) -> int:
        """The number to guess at the next step.

        Args:
            sharing: fills that share a step.
        """
        choices = self._costs if sharing == 1 else {0, *self._costs}
        return max(
            choices, key=lambda guesses: self._tokens(guesses) / self._cost(guesses, sharing)
        )

    def found_tokens(self, sharing: int = 1) -> int:
        """How many tokens that were looked up are worth verifying behind right guesses."""
        return self._worth(self._found.chance, sharing)

    def started_tokens(self, sharing: int = 1) -> int:
        """How many are worth verifying in the first step, where there are no guesses yet."""
        return self._worth(self._started.chance, sharing)

    def trusts_beliefs(self, sharing: int = 1) -> bool:
        """Whether to make no guesses beside a belief, for the case that it does not begin right.

        They would save what the guesses of a step save, but only in that case.
        """
        guesses = self.guesses(sharing)
        saved = (1 - self._belief.chance) * (self._tokens(guesses) - 1) * self._token(sharing)
        return saved <= guesses * self._slot()

    def note(self, steps: Iterable[Verified]) -> None:
        """Take in how guesses turned out."""
        for step in steps:
            for i in range(min(step.guesses, step.right + 1, len(self._guessed))):
                self._guessed[i].note(i < step.right)

    def note_found(self, steps: Iterable[Verified]) -> None:
        """Take in how tokens that were looked up turned out."""
        for step in steps:
            self._found.note_run(step)

    def note_started(self, steps: Iterable[Verified]) -> None:
        """Take in how tokens that first steps looked up turned out."""
        for step in steps:
            self._started.note_run(step)

    def note_belief(self, steps: Iterable[Verified]) -> None:
        """Take in whether beliefs began right."""
        for step in steps:
            self._belief.note(step.right > 0)

    def _worth(self, right: float, sharing: int) -> int:
        """How many tokens are worth verifying.

        One more is while the time that it may save, a token's, outweighs what its slot costs.

        Args:
            right: how often a token is right, if those before it are.
            sharing: fills that share a step.
        """
        if len(self._costs) < 2:
            return 0
        slot, token = self._slot(), self._token(sharing)
        worth, chance = 0, right
        while worth < MOST_FOUND and chance * token > slot:
            worth, chance = worth + 1, chance * right
        return worth

    def _slot(self) -> float:
        """Seconds that one more slot costs."""
        fewest, most = min(self._costs), max(self._costs)
        slots = _slots(most) - _slots(fewest)
        return max(self._costs[most] - self._costs[fewest], 0.0) / max(1, slots)

    def _cost(self, guesses: int, sharing: int) -> float:
        """Seconds of a step that a fill has to answer for: its slots, and its part of the rest."""
        if sharing == 1:
            return self._costs[guesses]
        fewest = min(self._costs)
        rest = max(self._costs[fewest] - _slots(fewest) * self._slot(), 0.0)
        return rest / sharing + _slots(guesses) * self._slot()

    def _token(self, sharing: int) -> float:
        """Seconds that a certain token takes."""
        guesses = self.guesses(sharing)
        return self._cost(guesses, sharing) / self._tokens(guesses)

    def _tokens(self, guesses: int) -> float:
        """Certain tokens that a step is expected to bring, its own next one included."""
        tokens = chance = 1.0
        for rate in self._guessed[:guesses]:
            chance *= rate.chance
            tokens += chance
        return tokens


def _slots(guesses: int) -> int:
    """A step with n guesses has n + 1 known slots and as many groups of n masks."""
    return (guesses + 1) ** 2
