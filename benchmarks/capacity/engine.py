"""What engines cost: how long a step takes, and how many a fill needs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from random import Random


@dataclass(frozen=True, slots=True)
class EngineKind:
    """One replica.

    Attributes:
        name: for people.
        fills_at_once: that share its steps.
        step_ms: of one fill's steps; one is drawn for each fill.
        shared: what every further fill adds to a step, as a part of its own step's time.
        steps: of one fill; one is drawn together with ``step_ms`` (same place).
        new_ms: to encode what was typed since the last request.
        cold_ms: to encode a context that this engine does not have.
        contexts: that it keeps.
    """

    name: str
    fills_at_once: int
    step_ms: tuple[float, ...]
    shared: float
    steps: tuple[int, ...]
    new_ms: float
    cold_ms: float
    contexts: int

    def draw(self, random: Random) -> tuple[int, float]:
        """A fill's steps, and the milliseconds of each when it has the engine to itself."""
        place = random.randrange(len(self.steps))
        return self.steps[place], self.step_ms[place % len(self.step_ms)]

    def step_seconds(self, alone_ms: list[float], encode_ms: float) -> float:
        """How long a step takes that advances several fills and encodes some context."""
        longest = max(alone_ms)
        others = sum(alone_ms) - longest
        return (longest + self.shared * others + encode_ms) / 1e3
