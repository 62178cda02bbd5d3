"""How many tokens to guess at each step: what a wider canvas costs here, against what it brings.

Where reading the weights is what takes time, further slots are nearly free; where arithmetic is, a
canvas of sixteen slots takes several times as long as one of four. And guesses come true more often
in some code than in other. The outcome is the same whatever is guessed; only the time is not.
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

MOST_FOUND = 12
"""Tokens looked up for one step, at most."""


@dataclass(frozen=True, slots=True)
class Verified:
    """How many guesses a step verified, and how many from the first on were right."""

    guesses: int
    right: int


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
        self._right = [PRIOR_WEIGHT * chance for chance in expected]
        self._seen = [PRIOR_WEIGHT] * len(expected)
        self._found_right, self._found_seen = PRIOR_WEIGHT * FOUND_RIGHT, PRIOR_WEIGHT

    def guesses(self) -> int:
        """The number to guess at the next step."""
        return max(self._costs, key=lambda guesses: self._tokens(guesses) / self._costs[guesses])

    def found_tokens(self) -> int:
        """How many tokens that were looked up are worth verifying behind right guesses.

        One more is worth it while the time that it may save, a token's, outweighs what its slot
        costs.
        """
        if len(self._costs) < 2:
            return 0
        fewest, most = min(self._costs), max(self._costs)
        # A step with n guesses has n + 1 known slots and as many groups of n masks.
        slots = (most + 1) ** 2 - (fewest + 1) ** 2
        slot = max(self._costs[most] - self._costs[fewest], 0.0) / slots
        guesses = self.guesses()
        token = self._costs[guesses] / self._tokens(guesses)
        right = self._found_right / self._found_seen
        worth, chance = 0, right
        while worth < MOST_FOUND and chance * token > slot:
            worth, chance = worth + 1, chance * right
        return worth

    def note_found(self, steps: Iterable[Verified]) -> None:
        """Take in how tokens that were looked up turned out."""
        for step in steps:
            for i in range(min(step.guesses, step.right + 1)):
                self._found_seen = MEMORY * self._found_seen + 1
                self._found_right = MEMORY * self._found_right + (i < step.right)

    def note(self, steps: Iterable[Verified]) -> None:
        """Take in how guesses turned out."""
        for step in steps:
            for i in range(min(step.guesses, step.right + 1, len(self._seen))):
                self._seen[i] = MEMORY * self._seen[i] + 1
                self._right[i] = MEMORY * self._right[i] + (i < step.right)

    def _tokens(self, guesses: int) -> float:
        """Certain tokens that a step is expected to bring, its own next one included."""
        tokens = chance = 1.0
        for right, seen in zip(self._right[:guesses], self._seen[:guesses], strict=True):
            chance *= right / seen
            tokens += chance
        return tokens
