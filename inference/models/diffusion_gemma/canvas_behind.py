"""DiffusionGemma as it sees canvases behind one context."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import torch

from midfill.inference.models.diffusion_gemma.context import layers_of
from midfill.inference.models.diffusion_gemma.wanted import CanvasLogits, States
from midfill.inference.shared_steps import fills_sharing, shared

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torch import Tensor
    from transformers.cache_utils import DynamicCache

    from midfill.inference.models.diffusion_gemma.context import EncodedContext
    from midfill.inference.models.diffusion_gemma.model import DiffusionGemma
    from midfill.inference.uniform.canvas import UniformCanvas


class CanvasBehind:
    """A `CanvasModel`: DiffusionGemma with a context that is encoded.

    Attributes:
        context: what canvases stand behind.
    """

    def __init__(self, model: DiffusionGemma, context: EncodedContext) -> None:
        self._model = model
        self.context = context
        self._views: dict[int, DynamicCache] = {}

    @property
    def vocabulary(self) -> int:
        return self._model.vocabulary

    @property
    def device(self) -> torch.device:
        return self._model.device

    def predict(self, canvas: UniformCanvas, ids: Tensor, belief: Tensor | None) -> Tensor:
        wanted = CanvasLogits(self._model, self, canvas, ids, belief, fills_sharing())
        return cast("Tensor", shared(wanted))

    def predict_in_parts(
        self, canvas: UniformCanvas, ids: Tensor, parts: Sequence[int]
    ) -> Iterator[Tensor]:
        found = shared(States(self, canvas, ids, fills_sharing()))
        for states in torch.split(cast("Tensor", found), list(parts)):
            yield self._model.head(states)

    def states(
        self, canvas: UniformCanvas, ids: Tensor, belief: Tensor | None, sharing: int
    ) -> Tensor:
        """(free slots of all rows, hidden), for the head; in a pass of its own.

        Args:
            canvas, ids, belief: as `predict`'s.
            sharing: fills that there are.
        """
        model, start = self._model, len(self.context)
        belief = self.believed(ids, belief)
        if model.steps.capturing:
            states = model.captured_step(ids, belief, canvas.present, self, sharing)
            return canvas.of_free(states)
        if canvas.rows not in self._views:
            self._views[canvas.rows] = self.context.view(canvas.rows)
        cache = self._views[canvas.rows]
        states = model.step(
            ids,
            belief,
            torch.arange(start, start + canvas.width, dtype=torch.int32, device=ids.device)[None],
            _masks(canvas, cache),
            cache,
        )
        return canvas.of_free(states)

    def believed(self, ids: Tensor, belief: Tensor | None) -> Tensor:
        """What is believed; zeros in the first step."""
        return torch.zeros_like(self._model.embed(ids)) if belief is None else belief

    def believe(self, canvas: UniformCanvas, logits: Tensor) -> Tensor:
        certain = self._model.embed(canvas.pinned)
        soft = self._model.embed_softly(logits)
        return certain.masked_scatter(canvas.free[..., None], soft)


def _masks(canvas: UniformCanvas, cache: DynamicCache) -> dict[str, Tensor | None]:
    """Every slot sees all of the context that its layer sees, and every slot but padding."""
    if not canvas.is_padded:
        return {"full_attention": None, "sliding_attention": None}
    rows, width = canvas.present.shape
    masks: dict[str, Tensor | None] = {}
    for layer in layers_of(cache):
        kind = "sliding_attention" if layer.is_sliding else "full_attention"
        if kind not in masks and layer.keys is not None:
            seen = canvas.present.new_ones(rows, layer.keys.shape[2])
            keys = torch.cat([seen, canvas.present], dim=-1)
            masks[kind] = keys[:, None, None].expand(rows, 1, width, -1)
    return masks
