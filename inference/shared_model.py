"""A model whose steps are shared with those of other fills, where there are any."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, cast

import torch

from midfill.inference.shared_steps import Kind, shared
from midfill.kernels.unmask import Unmasked

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from midfill.inference.canvas import Canvas
    from midfill.inference.context_cache import ContextCache
    from midfill.inference.models.interface import (
        CanvasPredictions,
        ModelForSeveral,
        OutputHead,
    )
    from midfill.inference.noise import Noise
    from midfill.inference.shared_steps import Wanted


SLOTS_TOGETHER = 48
"""Slots of one pass at most, unless one canvas has more: a pass takes the longer the more it holds.
"""


class SharedModel:
    """A `ModelForSeveral`; outside of `SharedSteps` it is the model that it was made of."""

    def __init__(self, model: ModelForSeveral) -> None:
        self._model = model

    @property
    def noise(self) -> Noise:
        return self._model.noise

    @property
    def masks(self) -> int:
        return self._model.masks

    def new_cache(self, room: int) -> ContextCache:
        return self._model.new_cache(room)

    def encode(self, tokens: Sequence[int], cache: ContextCache) -> None:
        shared(_Encoding(self._model, tokens, cache))

    def denoise(self, canvas: Canvas, cache: ContextCache) -> CanvasPredictions:
        found = cast("CanvasPredictions", shared(_Step(self._model, canvas, cache)))
        return replace(found, head=_SharedHead(found.head))

    def denoise_together(
        self, canvases: Sequence[Canvas], caches: Sequence[ContextCache]
    ) -> list[CanvasPredictions]:
        return self._model.denoise_together(canvases, caches)

    def guess(
        self, canvas: Canvas, predictions: CanvasPredictions, known: int, certain: int
    ) -> tuple[int, ...]:
        return self._model.guess(canvas, predictions, known, certain)

    def keep(self, canvas: Canvas, count: int, cache: ContextCache) -> None:
        self._model.keep(canvas, count, cache)


class _SharedHead:
    """An `OutputHead`, which is as long as a layer and therefore read once for all."""

    def __init__(self, head: OutputHead) -> None:
        self._head = head

    def logits(self, states: Tensor) -> Tensor:
        return self._head.logits(states)

    def unmask(self, states: Tensor, permitted: Sequence[Tensor]) -> Unmasked:
        return cast("Unmasked", shared(_Unmasking(self._head, states, permitted)))


@dataclass(frozen=True, slots=True)
class _Encoding:
    model: ModelForSeveral
    tokens: Sequence[int]
    cache: ContextCache

    kind = Kind.CONTEXT

    def joins(self, others: Sequence[Wanted]) -> bool:
        return False

    def together(self, others: Sequence[Wanted]) -> list[object]:
        for one in [self, *cast("Sequence[_Encoding]", others)]:
            one.model.encode(one.tokens, one.cache)
        return [None] * (1 + len(others))


@dataclass(frozen=True, slots=True)
class _Step:
    model: ModelForSeveral
    canvas: Canvas
    cache: ContextCache

    kind = Kind.STEP

    def joins(self, others: Sequence[Wanted]) -> bool:
        every = [self, *cast("Sequence[_Step]", others)]
        return sum(it.canvas.layout.slots for it in every) <= SLOTS_TOGETHER

    def together(self, others: Sequence[Wanted]) -> list[object]:
        every = [self, *cast("Sequence[_Step]", others)]
        found = self.model.denoise_together([it.canvas for it in every], [it.cache for it in every])
        return [*found]


@dataclass(frozen=True, slots=True)
class _Unmasking:
    head: OutputHead
    states: Tensor
    permitted: Sequence[Tensor]

    kind = Kind.HEAD

    def joins(self, others: Sequence[Wanted]) -> bool:
        return True

    @torch.inference_mode()
    def together(self, others: Sequence[Wanted]) -> list[object]:
        """One pass over the vocabulary; rows that are restricted have to come first."""
        every = [self, *cast("Sequence[_Unmasking]", others)]
        if not others:
            return [self.head.unmask(self.states, self.permitted)]
        restricted = [it.states[: len(it.permitted)] for it in every]
        free = [it.states[len(it.permitted) :] for it in every]
        permitted = [tokens for it in every for tokens in it.permitted]
        found = self.head.unmask(torch.cat([*restricted, *free]), permitted)
        first = _parts(found, [*map(len, restricted), *map(len, free)])
        return [
            Unmasked(*(torch.cat(pair) for pair in zip(one, other, strict=True)))
            for one, other in zip(first[: len(every)], first[len(every) :], strict=True)
        ]


def _parts(found: Unmasked, lengths: Sequence[int]) -> list[tuple[Tensor, Tensor, Tensor]]:
    every = (found.tokens, found.probabilities, found.entropies)
    return [*zip(*(torch.split(part, [*lengths]) for part in every), strict=True)]
