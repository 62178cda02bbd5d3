"""Filling canvas after canvas with an answer, until it ends or says enough."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING

import torch

from midfill.inference.fillers.uniform_attempt import Written
from midfill.inference.fillers.uniform_start import start_of
from midfill.inference.models.diffusion_gemma.answer import (
    Form,
    fences_are_text,
    read_answer,
)
from midfill.inference.stopping import find_end
from midfill.inference.uniform.canvas import UniformCanvas
from midfill.inference.uniform.denoising import denoise
from midfill.inference.uniform.row_progress import RowProgress
from midfill.inference.wire import Draft, Stop

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from midfill.inference.fillers.uniform_attempt import Asked
    from midfill.inference.models.diffusion_gemma.answer import Answer
    from midfill.inference.models.diffusion_gemma.markers import Markers
    from midfill.inference.models.diffusion_gemma.model import DiffusionGemma
    from midfill.inference.models.hub_tokenizer import HubTokenizer
    from midfill.inference.uniform.bans import Bans
    from midfill.inference.uniform.denoising import DenoisingRule


class AnsweredPrompt:
    """A `WayToFill`: the middle is what the answer has between its tags.

    Args:
        model: denoises.
        tokenizer: its own.
        markers: the tokenizer's.
        asked: what is to be filled; its context grows while an answer goes on.
        bans: what may not be written.
        width: slots of a canvas.
        believed: tokens that may well be the answer; the first attempt's first canvas starts from
            them.
    """

    def __init__(
        self,
        model: DiffusionGemma,
        tokenizer: HubTokenizer,
        markers: Markers,
        asked: Asked,
        bans: Bans,
        width: int,
        believed: Sequence[int] = (),
    ) -> None:
        self._model = model
        self._tokenizer = tokenizer
        self._markers = markers
        self._asked = asked
        self._bans = bans
        self._width = width
        self._believed = believed
        request = asked.laid_out.request
        self._most = request.limits.tokens
        self._fences = fences_are_text(asked.laid_out.text.prefix, request.language)

    def write(self, rule: DenoisingRule, seed: int) -> Generator[Draft, None, Written]:
        asked = self._asked
        generator = torch.Generator(self._model.device).manual_seed(seed)
        ids: list[int] = []
        log_probabilities: list[float] = []
        passes = 0
        while True:
            progress = RowProgress()
            late = yield from self._denoised(rule, generator, ids, passes, progress)
            # What has not settled is noise as much as text.
            new = progress.settled if late else progress.best
            ids += new
            log_probabilities += progress.log_probabilities[: len(new)]
            passes += progress.steps
            answer = self._read(ids)
            text, stop = self._ended(answer, ids, late=late)
            if stop is not None:
                return Written(
                    ids,
                    text,
                    stop,
                    tokens=min(answer.tokens, self._most),
                    steps=passes,
                    log_probabilities=log_probabilities,
                )
            self._model.encode(new, asked.context, asked.go_on)

    def _denoised(
        self,
        rule: DenoisingRule,
        generator: torch.Generator,
        before: Sequence[int],
        passes: int,
        progress: RowProgress,
    ) -> Generator[Draft, None, bool]:
        """Denoise one canvas.

        Args:
            rule: how.
            generator: of its noise.
            before: what the canvases before it hold.
            passes: that they took.
            progress: told of each step.

        Returns:
            Whether there was no time to finish it.
        """
        asked, model = self._asked, self._model.behind(self._asked.context)
        canvas = UniformCanvas.blank(self._width, model.device)
        start, self._believed = start_of(self._believed, self._width, model.device), ()
        for step in denoise(model, canvas, rule, [generator], self._bans, start):
            progress.take(step, self._width)
            asked.run.watch.note_step()
            asked.go_on()
            yield asked.laid_out.draft(
                self._read([*before, *progress.settled]).text,
                self._read([*before, *progress.best]).text,
                progress.unsettled,
                passes + step.number,
            )
            if monotonic() >= asked.run.deadline and not bool(step.done.all()):
                return True
        return False

    def _read(self, ids: Sequence[int]) -> Answer:
        return read_answer(self._tokenizer, self._markers, ids, fences=self._fences)

    def _ended(self, answer: Answer, ids: Sequence[int], *, late: bool) -> tuple[str, Stop | None]:
        """The middle so far, and why it ends here; None where another canvas is to follow.

        Args:
            answer: as it was read.
            ids: that it was read from.
            late: whether its last canvas could not be finished; what is not of the right form then
                need not have stayed so.
        """
        asked, text = self._asked, answer.text
        stop: Stop | None = None
        if answer.form is Form.FINISHED:
            stop = Stop.END_TOKEN
        elif late:
            stop = Stop.DEADLINE
        elif answer.form is Form.REFUSED:
            return "", Stop.REFUSED
        if answer.tokens > self._most and text:
            return self._tokenizer.decode(ids[: self._most]), Stop.TOKEN_LIMIT
        if stop is not None:
            return text, stop
        if find_end(text, asked.laid_out.around, asked.laid_out.request.hole.extent):
            return text, Stop.FILLED
        room = self._model.positions - len(asked.context) - self._width
        if len(ids) >= self._most or room < self._width:
            return text, Stop.TOKEN_LIMIT
        if monotonic() >= asked.run.deadline:
            return text, Stop.DEADLINE
        return text, None
