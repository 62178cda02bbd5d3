"""Midfill's own fills, timed as whoever asked for them sees them."""

from __future__ import annotations

from itertools import pairwise
from time import perf_counter
from typing import TYPE_CHECKING

from midfill.inference.fillers.in_place import InPlaceFiller
from midfill.inference.measuring.contender import TimedFill
from midfill.inference.wire import Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from midfill.inference.engine import Engine
    from midfill.inference.wire import Draft, InfillRequest


class Ours:
    """A `Contender`: the engine, with everything around the model."""

    name = "midfill"

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def forget(self) -> None:
        # Of texts. Such a model keeps none, and would drop its graphs, which know none.
        if not isinstance(self._engine.filler, InPlaceFiller):
            self._engine.forget()

    def fill(self, request: InfillRequest, tokens: int = 0) -> TimedFill:
        return timed(lambda: self._engine.infill(request))


def timed(fill: Callable[[], Iterator[Draft | Final]]) -> TimedFill:
    """Time a fill; the time between two drafts is that of a step."""
    drafted: list[float] = []
    final: Final | None = None
    started = perf_counter()
    for event in fill():
        if isinstance(event, Final):
            final = event
        else:
            drafted.append(perf_counter())
    ended = perf_counter()
    assert final is not None
    gaps = tuple(later - earlier for earlier, later in pairwise(drafted))
    return TimedFill(ended - started, final.tokens, final.steps, gaps)
