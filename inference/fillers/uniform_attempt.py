"""What all ways of filling a hole with uniform noise begin with, and what they come to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from midfill.inference.errors import Cancelled
from midfill.inference.stopping import find_end
from midfill.inference.wire import Draft

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from midfill.inference.fillers.filler import Run
    from midfill.inference.fillers.hole_text import HoleText
    from midfill.inference.in_place.edges import Edges
    from midfill.inference.models.diffusion_gemma.context import EncodedContext
    from midfill.inference.models.diffusion_gemma.prompt import Prompt
    from midfill.inference.stopping import Surroundings
    from midfill.inference.uniform.denoising import DenoisingRule
    from midfill.inference.wire import InfillRequest, Stop


@dataclass(frozen=True, slots=True)
class LaidOut:
    """A request's text, the prompt that is made of it, and the word that its hole begins in."""

    request: InfillRequest
    text: HoleText
    around: Surroundings
    prompt: Prompt
    edges: Edges

    def draft(self, settled: str, whole: str, unsettled: int, step: int) -> Draft:
        """What a canvas says now, up to where the middle would end.

        Args:
            settled: as far as it seems to change no more.
            whole: all of it.
            unsettled: slots that changed.
            step: the number of forward passes so far.
        """
        if ending := find_end(whole, self.around, self.request.hole.extent):
            whole = whole[: ending.at]
        text = settled if whole.startswith(settled) else whole
        return Draft(text=text, guess=whole[len(text) :], masked=unsettled, step=step)


@dataclass(frozen=True, slots=True)
class Asked:
    """A request whose context is encoded.

    Attributes:
        laid_out: its text and prompt.
        context: what stands before the canvas.
        run: the request on its way.
    """

    laid_out: LaidOut
    context: EncodedContext
    run: Run

    def go_on(self) -> None:
        """Asked between passes.

        Raises:
            Cancelled: nobody wants the fill any more.
        """
        if self.run.cancelled():
            raise Cancelled("the request was cancelled")


@dataclass(frozen=True, slots=True)
class Written:
    """What an attempt wrote.

    Attributes:
        ids: of the slots that count, whether they are part of the middle or not.
        text: the middle, not cut yet.
        stop: why it ended.
        tokens: of the middle.
        steps: forward passes.
        log_probabilities: of ``ids``.
    """

    ids: Sequence[int]
    text: str
    stop: Stop
    tokens: int
    steps: int
    log_probabilities: Sequence[float]


class WayToFill(Protocol):
    """Fills the hole of one request, as often as it is asked to."""

    def write(self, rule: DenoisingRule, seed: int) -> Generator[Draft, None, Written]:
        """One attempt; a draft after each denoising step.

        Raises:
            Cancelled: nobody wants the fill any more.
        """
        ...
