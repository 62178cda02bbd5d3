"""What a step costs with canvases of every length, by the same weights."""

from __future__ import annotations

from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING

from midfill.inference.errors import OutOfMemory, UsageError
from midfill.inference.fillers.filler import Run
from midfill.inference.measuring.figures import Spread, spread
from midfill.inference.measuring.ours import timed
from midfill.inference.memory_errors import memory_errors
from midfill.inference.models.options import CANVAS_LENGTHS, Length
from midfill.inference.progress import Progress
from midfill.inference.stopwatch import Stopwatch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from midfill.inference.engine import Engine
    from midfill.inference.measuring.contender import TimedFill
    from midfill.inference.measuring.places import Place
    from midfill.inference.models.options import Options
    from midfill.inference.progress import ProgressListener
    from midfill.inference.wire import Draft, Final, InfillRequest

PATIENCE = 600.0
"""Seconds; nothing is to be cut short."""


@dataclass(frozen=True, slots=True)
class CanvasFigures:
    """One canvas length.

    Attributes:
        canvas: slots; None stands for a model that takes no canvas length.
        whole: whether all slots were to be filled, however long the middle is.
        skipped: why there are no figures; empty if there are.
        fill_ms, step_ms, steps, tokens: of whole fills.
        tokens_per_second, tokens_per_step: the same, divided.
    """

    canvas: int | None
    whole: bool = False
    skipped: str = ""
    fill_ms: Spread | None = None
    step_ms: Spread | None = None
    steps: Spread | None = None
    tokens: Spread | None = None
    tokens_per_second: Spread | None = None
    tokens_per_step: Spread | None = None


def measure_canvases(
    engine: Engine, place: Place, repeat: int, listener: ProgressListener
) -> tuple[CanvasFigures, ...]:
    """Fill a hole with canvases of each length that the model can have.

    Args:
        engine: with the model in memory.
        place: the hole; one of several lines.
        repeat: fills of each length, after one that is not counted.
        listener: told how far it is.
    """
    found: list[CanvasFigures] = []
    for number, canvas in enumerate(CANVAS_LENGTHS):
        listener(Progress("measuring canvases", number / len(CANVAS_LENGTHS), f"{canvas} slots"))
        figures = _measured(engine, canvas, place, repeat)
        if figures.skipped and "takes no options" in figures.skipped:
            return (CanvasFigures(None, skipped=figures.skipped),)
        found.append(figures)
    return tuple(found)


def _measured(engine: Engine, canvas: int, place: Place, repeat: int) -> CanvasFigures:
    usual = engine.reference.options.model_copy(update={"canvas": canvas})
    refusal = ""
    for options in (usual.model_copy(update={"length": Length.FIXED}), usual):
        try:
            with engine.filling_with(options):
                fills = _fills(engine, options, place, repeat)
        except UsageError as error:
            refusal = str(error)
            continue
        except OutOfMemory:
            engine.forget()
            return CanvasFigures(canvas, skipped="not enough memory")
        return CanvasFigures(
            canvas,
            whole=options.length is Length.FIXED,
            fill_ms=spread([1e3 * fill.seconds for fill in fills]),
            step_ms=spread([1e3 * step for fill in fills for step in fill.step_seconds]),
            steps=spread([fill.steps for fill in fills]),
            tokens=spread([fill.tokens for fill in fills]),
            tokens_per_second=spread([fill.tokens / fill.seconds for fill in fills]),
            tokens_per_step=spread([fill.tokens / fill.steps for fill in fills if fill.steps]),
        )
    return CanvasFigures(canvas, skipped=refusal)


def _fills(engine: Engine, options: Options, place: Place, repeat: int) -> list[TimedFill]:
    """Not through the engine, which would answer a lack of memory with a smaller canvas.

    Raises:
        OutOfMemory: the canvas does not fit.
    """

    def fill(request: InfillRequest) -> Iterator[Draft | Final]:
        now = monotonic()
        with memory_errors():
            yield from engine.filler.fill(
                request, Run(now + PATIENCE, Stopwatch(now), lambda: False)
            )

    request = place.request(0, tokens=options.canvas)
    fills = [timed(lambda: fill(request)) for _ in range(repeat + 1)]
    return fills[1:]
