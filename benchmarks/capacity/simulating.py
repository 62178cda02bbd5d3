"""Engines with the service's own policy: shared steps, the newest of a document, bounded queues."""

from __future__ import annotations

import heapq
from collections import OrderedDict, deque
from dataclasses import dataclass, field
from itertools import count
from random import Random
from typing import TYPE_CHECKING

from .developer import Habits, requests

if TYPE_CHECKING:
    from collections.abc import Callable

    from .engine import EngineKind


FALLBACKS = 2
"""Engines that are tried where a developer's own has no place, as Ray's router does."""


@dataclass(eq=False, slots=True)
class Fill:
    """A request on its way; times in seconds."""

    developer: int
    place: int
    asked: float
    steps: int
    step_ms: float
    begun: float | None = None
    superseded: bool = False


@dataclass(slots=True)
class Outcome:
    """What became of the requests after the first ``warm_up`` seconds.

    Attributes:
        waits: from asking to the first step, of all that were begun, in seconds.
        latencies: from asking to the end, of all that were finished, in seconds.
        busy: seconds that each engine computed.
        cold: fills for which a context was encoded anew.
    """

    asked: int = 0
    refused: int = 0
    superseded: int = 0
    cold: int = 0
    waits: list[float] = field(default_factory=list)
    latencies: list[float] = field(default_factory=list)
    busy: list[float] = field(default_factory=list)


class Engine:
    """One replica: fills wait, join its steps, and leave when they are done or superseded."""

    def __init__(self, kind: EngineKind) -> None:
        self.kind = kind
        self.waiting: deque[Fill] = deque()
        self.running: list[Fill] = []
        self.stepping = False
        self._contexts: OrderedDict[tuple[int, int], None] = OrderedDict()

    @property
    def load(self) -> int:
        return len(self.waiting) + len(self.running)

    def begin_step(self, now: float) -> tuple[list[Fill], list[Fill], float]:
        """Let superseded fills go and waiting ones join.

        Returns:
            Those that have just begun, those of them whose context is cold, and how long the step
            takes in seconds; 0.0 when there is nothing to do.
        """
        self.running = [fill for fill in self.running if not fill.superseded]
        self.waiting = deque(fill for fill in self.waiting if not fill.superseded)
        begun, cold, encode_ms = [], [], 0.0
        while self.waiting and len(self.running) < self.kind.fills_at_once:
            fill = self.waiting.popleft()
            fill.begun = now
            self.running.append(fill)
            begun.append(fill)
            if not self._knows(fill):
                cold.append(fill)
            encode_ms += self.kind.cold_ms if fill in cold else self.kind.new_ms
        if not self.running:
            return begun, cold, 0.0
        alone = [fill.step_ms for fill in self.running]
        return begun, cold, self.kind.step_seconds(alone, encode_ms)

    def end_step(self) -> list[Fill]:
        """Those that are done with this step."""
        for fill in self.running:
            fill.steps -= 1
        done = [fill for fill in self.running if not fill.steps]
        self.running = [fill for fill in self.running if fill.steps]
        return [fill for fill in done if not fill.superseded]

    def _knows(self, fill: Fill) -> bool:
        """Whether its context is there; it is afterwards."""
        context = fill.developer, fill.place
        known = context in self._contexts
        self._contexts[context] = None
        self._contexts.move_to_end(context)
        while len(self._contexts) > self.kind.contexts:
            self._contexts.popitem(last=False)
        return known


def simulate(
    kind: EngineKind,
    engines: int,
    developers: int,
    *,
    seconds: float = 120.0,
    warm_up: float = 20.0,
    places: int = 32,
    habits: Habits | None = None,
    affinity: bool = True,
    seed: int = 0,
) -> Outcome:
    """Run it.

    Args:
        kind: of every engine.
        engines: replicas.
        developers: who are at work.
        seconds: that are simulated after ``warm_up`` more, of which nothing is counted.
        places: fills that wait or run at one engine; what is more goes to the next two, and is
            refused when they have none either.
        habits: of the developers.
        affinity: a developer's requests go to one engine where it has a place, else to any.
        seed: of everything that is drawn.
    """
    random = Random(seed)
    outcome = Outcome(busy=[0.0] * engines)
    stands = [Engine(kind) for _ in range(engines)]
    newest: dict[int, Fill] = {}
    end = warm_up + seconds
    order = count()
    events: list[tuple[float, int, Callable[[float], None]]] = []

    def at(when: float, what: Callable[[float], None]) -> None:
        heapq.heappush(events, (when, next(order), what))

    def ask(developer: int, place: int, now: float) -> None:
        counted = now >= warm_up
        outcome.asked += counted
        before = newest.get(developer)
        if before and not before.superseded:
            before.superseded = True
            outcome.superseded += counted
        first = developer if affinity else random.randrange(engines)
        ring = [stands[(first + step) % engines] for step in range(min(engines, 1 + FALLBACKS))]
        engine = next((engine for engine in ring if engine.load < places), None)
        newest.pop(developer, None)
        if engine is None:
            outcome.refused += counted
            return
        fill = Fill(developer, place, now, *kind.draw(random))
        newest[developer] = fill
        engine.waiting.append(fill)
        if not engine.stepping:
            step(engine, now)

    def step(engine: Engine, now: float) -> None:
        begun, cold, duration = engine.begin_step(now)
        engine.stepping = duration > 0
        if now >= warm_up:
            outcome.waits += [now - fill.asked for fill in begun]
            outcome.cold += len(cold)
        if engine.stepping:
            if now >= warm_up:
                outcome.busy[stands.index(engine)] += min(duration, end - now)
            at(now + duration, lambda then: finish(engine, then))

    def finish(engine: Engine, now: float) -> None:
        for fill in engine.end_step():
            if now >= warm_up:
                outcome.latencies.append(now - fill.asked)
            if newest.get(fill.developer) is fill:
                del newest[fill.developer]
        step(engine, now)

    for developer in range(developers):
        for when, place in requests(habits or Habits(), end, random):
            at(when, lambda now, who=developer, where=place: ask(who, where, now))  # type: ignore[misc]
    while events and events[0][0] < end:
        now, _, what = heapq.heappop(events)
        what(now)
    return outcome
