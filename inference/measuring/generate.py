"""DiffusionGemma as `transformers` runs it: its own ``generate``, on the same weights."""

from __future__ import annotations

from copy import deepcopy
from itertools import pairwise
from time import perf_counter
from typing import TYPE_CHECKING

import torch

from midfill.inference.measuring.contender import TimedFill
from midfill.inference.memory_errors import memory_errors

if TYPE_CHECKING:
    from midfill.inference.fillers.diffusion_gemma import DiffusionGemmaFiller
    from midfill.inference.models.diffusion_gemma.context import EncodedContext
    from midfill.inference.wire import InfillRequest


class Generate:
    """A `Contender`: the same prompt, canvas and steps at most, and as many canvases.

    It knows nothing of holes, so what it writes is not looked at. Kept of the fill before is what
    it takes as its ``cache``: everything encoded that both prompts begin with.
    """

    name = "model.generate()"

    def __init__(self, filler: DiffusionGemmaFiller) -> None:
        self._filler = filler
        self._model = filler._model
        self._context: EncodedContext | None = None

    def forget(self) -> None:
        self._context = None

    def fill(self, request: InfillRequest, tokens: int) -> TimedFill:
        prompt = list(self._filler._lay_out(request).prompt.tokens)
        known = self._context or self._model.new_context()
        shared = 0
        for ours, theirs in zip(known.tokens, prompt[:-1], strict=False):
            if ours != theirs:
                break
            shared += 1
        known.crop(shared)
        canvases = max(1, -(-tokens // self._filler._options.canvas))
        with memory_errors():
            timed = self._generate(prompt[shared:], known if shared else None, canvases)
            self._model.encode(prompt[shared:], known)
        self._context = known
        return timed

    def _generate(
        self, tokens: list[int], known: EncodedContext | None, canvases: int
    ) -> TimedFill:
        network, width = self._model.network, self._filler._options.canvas
        published = deepcopy(self._filler._loaded.published)
        published.max_new_tokens = canvases * width
        published.max_denoising_steps = self._filler._rule.steps
        passes: list[float] = []
        hook = network.model.decoder.register_forward_pre_hook(
            lambda module, args: passes.append(perf_counter())
        )
        usual = network.config.canvas_length
        network.config.canvas_length = width
        torch.manual_seed(0)
        try:
            started = perf_counter()
            output = network.generate(
                torch.tensor([tokens], device=self._model.device),
                cache=None if known is None else known.view(),
                generation_config=published,
            )
            written = len(output.sequences[0].tolist()) - len(tokens)
            ended = perf_counter()
        finally:
            hook.remove()
            network.config.canvas_length = usual
        gaps = tuple(later - earlier for earlier, later in pairwise(passes))
        return TimedFill(ended - started, written, len(passes), gaps)
