"""When developers ask: they type for a while, then think; some keys lead to a request."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from replay.human import Moment

if TYPE_CHECKING:
    from collections.abc import Iterator
    from random import Random

KEYS = {
    Moment.WITHIN_WORD: 0.65,
    Moment.SYMBOL: 0.15,
    Moment.WORD_START: 0.12,
    Moment.LINE_BREAK: 0.03,
    Moment.LINE_START: 0.03,
    Moment.DELETION: 0.02,
}
"""How often each kind of key is typed in code; their pauses give the 3.5 keys a second of
``replay_typing.json``, within a tenth."""


@dataclass(frozen=True, slots=True)
class Habits:
    """How a developer works at a busy moment of the day.

    Attributes:
        typing_share: of the time, in which they type; an assumption.
        burst_seconds: that they type without a pause for thought, on average; an assumption.
        asked_share: of the keys, that lead to a request to the engine: measured, 401 of 843 in
            ``replay_typing.json``. The rest is answered from memory, or not asked.
        new_place: the share of bursts that begin where nothing is encoded yet; an assumption.
    """

    typing_share: float = 0.2
    burst_seconds: float = 15.0
    asked_share: float = 401 / 843
    new_place: float = 0.3


def requests(habits: Habits, until: float, random: Random) -> Iterator[tuple[float, int]]:
    """When one developer asks, in seconds, and about which place: the next has another context."""
    pause = habits.burst_seconds * (1 / habits.typing_share - 1)
    kinds, weights = list(KEYS), list(KEYS.values())
    now = random.uniform(0.0, habits.burst_seconds + pause) - habits.burst_seconds
    place = 0
    while now < until:
        burst_ends = now + random.expovariate(1 / habits.burst_seconds)
        place += random.random() < habits.new_place
        while now < burst_ends:
            now += random.choices(kinds, weights)[0].value.draw(random)
            if random.random() < habits.asked_share and 0 <= now < until:
                yield now, place
        now += random.expovariate(1 / pause)
