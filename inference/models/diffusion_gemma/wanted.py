"""What fills of DiffusionGemma want computed, along with what other fills want."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import torch

from midfill.inference.shared_steps import Kind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from midfill.inference.models.diffusion_gemma.canvas_behind import CanvasBehind
    from midfill.inference.models.diffusion_gemma.context import EncodedContext
    from midfill.inference.models.diffusion_gemma.model import DiffusionGemma
    from midfill.inference.shared_steps import Wanted
    from midfill.inference.uniform.canvas import UniformCanvas

SLOTS_TOGETHER = 1024
"""Slots in one pass over several canvases, what fills it up included: sixteen canvases of 64.

The step that is published takes 256 slots; it reads nearly all experts, and by what cards compute a
slot beyond that costs a thousandth of it. What bounds them is the logits, 1 MiB a slot. Not
measured on a card yet.
"""


@dataclass(frozen=True, slots=True)
class EncodedChunk:
    """A piece of a context, in a pass of its own."""

    model: DiffusionGemma
    tokens: Sequence[int]
    context: EncodedContext

    kind = Kind.CONTEXT

    def joins(self, others: Sequence[Wanted]) -> bool:
        return False

    def together(self, others: Sequence[Wanted]) -> list[object]:
        assert not others
        self.model.encode_chunk(self.tokens, self.context)
        return [None]


@dataclass(frozen=True, slots=True)
class States:
    """States of a canvas of many rows, with which a length is searched: they fill a pass alone."""

    behind: CanvasBehind
    canvas: UniformCanvas
    ids: Tensor
    sharing: int

    kind = Kind.CONTEXT

    def joins(self, others: Sequence[Wanted]) -> bool:
        return False

    @torch.no_grad()
    def together(self, others: Sequence[Wanted]) -> list[object]:
        assert not others
        return [self.behind.states(self.canvas, self.ids, None, self.sharing)]


@dataclass(frozen=True, slots=True)
class CanvasLogits:
    """A denoising step: logits of a canvas's free slots, (free slots of all rows, vocab) float32.

    Canvases of one row each are computed together, captured as a graph or not, and whatever the
    weights are held as.
    """

    model: DiffusionGemma
    behind: CanvasBehind
    canvas: UniformCanvas
    ids: Tensor
    belief: Tensor | None
    sharing: int

    kind = Kind.STEP

    def joins(self, others: Sequence[Wanted]) -> bool:
        every = [self, *cast("Sequence[CanvasLogits]", others)]
        if any(one.canvas.rows > 1 for one in every):
            return False
        return self.model.slots_of_several(one.canvas.width for one in every) <= SLOTS_TOGETHER

    @torch.no_grad()
    def together(self, others: Sequence[Wanted]) -> list[object]:
        """The output head, which is as long as a few layers, is read once for all."""
        if not others:
            states = self.behind.states(self.canvas, self.ids, self.belief, self.sharing)
            return [self.model.head(states)]
        every = [self, *cast("Sequence[CanvasLogits]", others)]
        rows = [
            (one.ids, one.behind.believed(one.ids, one.belief), one.canvas.present) for one in every
        ]
        found = self.model.several_steps(rows, [one.behind for one in every])
        free = [one.canvas.of_free(states) for one, states in zip(every, found, strict=True)]
        return [*torch.split(self.model.head(torch.cat(free)), [len(states) for states in free])]
