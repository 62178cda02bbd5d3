"""Filling one canvas that ends with pinned text: it leads up to what stands behind the hole."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING

import torch

from midfill.inference.fillers.uniform_attempt import Written
from midfill.inference.fillers.uniform_start import holds, start_of
from midfill.inference.uniform.canvas import UniformCanvas
from midfill.inference.uniform.denoising import denoise
from midfill.inference.uniform.length_search import FoundLength, search_length
from midfill.inference.uniform.row_progress import RowProgress
from midfill.inference.wire import Draft, Stop

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from midfill.inference.fillers.uniform_attempt import Asked
    from midfill.inference.models.diffusion_gemma.model import DiffusionGemma
    from midfill.inference.models.hub_tokenizer import HubTokenizer
    from midfill.inference.uniform.bans import Bans
    from midfill.inference.uniform.denoising import DenoisingRule


class PinnedCanvas:
    """A `WayToFill`: every free slot is part of the middle.

    Args:
        model: denoises.
        tokenizer: its own.
        asked: what is to be filled.
        bans: what may not be written.
        most: free slots at most.
        searching: whether their number is searched for, once for all attempts; else ``most``.
        believed: tokens that may well be the middle; the first attempt starts from them, and with
            as many slots. Where the model's first step does not agree with half of them, they are
            dropped.
    """

    def __init__(
        self,
        model: DiffusionGemma,
        tokenizer: HubTokenizer,
        asked: Asked,
        bans: Bans,
        most: int,
        *,
        searching: bool,
        believed: Sequence[int] = (),
    ) -> None:
        self._model = model.behind(asked.context)
        self._tokenizer = tokenizer
        self._asked = asked
        self._bans = bans
        self._most = most
        self._length = None if searching else most
        self._believed = believed if len(believed) <= most else ()

    def write(self, rule: DenoisingRule, seed: int) -> Generator[Draft, None, Written]:
        passes = 0
        if believed := self._believed:
            self._believed = ()
            length = len(believed) if self._length is None else self._length
            written = yield from self._denoised(rule, seed, length, passes, believed)
            if written is not None:
                return written
            passes += 1
        if self._length is None:
            found = self._found(self._generator(seed))
            self._length, passes = found.length, passes + found.passes
        written = yield from self._denoised(rule, seed, self._length, passes)
        assert written is not None
        return written

    def _denoised(
        self,
        rule: DenoisingRule,
        seed: int,
        length: int,
        passes: int,
        believed: Sequence[int] = (),
    ) -> Generator[Draft, None, Written | None]:
        """Denoise a canvas of so many free slots.

        Args:
            rule, seed: how.
            length: free slots.
            passes: that were made before.
            believed: what it starts from, instead of noise.

        Returns:
            None, after one step, if the model does not agree with what is believed.
        """
        asked, pinned = self._asked, self._asked.laid_out.prompt.pinned
        model = self._model
        canvas = UniformCanvas.before([length], pinned, model.device)
        start = start_of(believed, length, model.device)
        progress, stop = RowProgress(), Stop.FILLED
        for step in denoise(model, canvas, rule, [self._generator(seed)], self._bans, start):
            progress.take(step, length)
            asked.run.watch.note_step()
            asked.go_on()
            if (
                believed
                and step.number == 1
                and not holds(believed, progress.best[: len(believed)])
            ):
                return None
            yield asked.laid_out.draft(
                self._inside(progress.settled),
                self._inside(progress.best),
                progress.unsettled,
                passes + step.number,
            )
            if monotonic() >= asked.run.deadline and not bool(step.done.all()):
                stop = Stop.DEADLINE
                break
        # What has not settled is noise as much as text.
        ids = progress.settled if stop is Stop.DEADLINE else progress.best
        return Written(
            ids,
            self._inside(ids),
            stop,
            tokens=len(ids),
            steps=passes + progress.steps,
            log_probabilities=progress.log_probabilities[: len(ids)],
        )

    def _found(self, generator: torch.Generator) -> FoundLength:
        asked = self._asked

        def in_time() -> bool:
            asked.go_on()
            return monotonic() < asked.run.deadline

        pinned = asked.laid_out.prompt.pinned
        return search_length(self._model, pinned, self._most, generator, self._bans, go_on=in_time)

    def _inside(self, ids: Sequence[int]) -> str:
        """What the slots say behind the word that the hole begins in."""
        written = b"".join(map(self._tokenizer.token_bytes, ids))
        inside = self._asked.laid_out.edges.inside(written)
        return "" if inside is None else inside.decode(errors="ignore")

    def _generator(self, seed: int) -> torch.Generator:
        return torch.Generator(self._model.device).manual_seed(seed)
