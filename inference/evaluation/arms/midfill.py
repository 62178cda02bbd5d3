"""What ships: the engine fills the hole and finds its end itself (free length)."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING

from midfill.inference.errors import EngineUnavailable
from midfill.inference.evaluation.arms.asking import request_of
from midfill.inference.evaluation.problems import Filled
from midfill.inference.fillers.embedded import EmbeddedFiller
from midfill.inference.wire import Final

if TYPE_CHECKING:
    from midfill.inference.engine import Engine
    from midfill.inference.evaluation.arms.own_text import OwnText
    from midfill.inference.evaluation.problems import Problem


class Midfill:
    """The engine's own fill.

    The engine does not hand out how many of the embedded model's guesses held, so that is taken
    from the same greedy text written once more, outside the time that is measured. How many it
    makes does not follow this machine's pace, so that steps can be compared.
    """

    name = "midfill"

    def __init__(self, engine: Engine, own: OwnText | None) -> None:
        self._engine, self._own = engine, own

    def fill(self, problem: Problem) -> Filled:
        final, filler = None, self._engine.filler
        all_guesses = filler.all_guesses() if isinstance(filler, EmbeddedFiller) else nullcontext()
        with all_guesses:
            for event in self._engine.infill(request_of(problem)):
                if isinstance(event, Final):
                    final = event
        if final is None:
            raise EngineUnavailable("the engine ended without an answer")
        accepted: tuple[int, ...] = ()
        if self._own is not None:
            text, _ = self._own.of(problem)
            text.reach(final.tokens)
            accepted = text.accepted(final.tokens)
        return Filled(
            text=final.text,
            tokens=final.tokens,
            steps=final.steps,
            ms=final.ms.total - final.ms.load,
            log_probabilities=final.log_probabilities,
            stop=final.stop,
            accepted=accepted,
        )
