"""Finish one block of slots before the next is begun."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch

from midfill.inference.samplers.measures import on_offer

if TYPE_CHECKING:
    from torch import Tensor

    from midfill.inference.samplers.sampler import Sampler, SlotPredictions


@dataclass(frozen=True, slots=True)
class Blockwise:
    """Offer another sampler the leftmost unfinished block of b slots and nothing behind it.

    n slots are ⌈n/b⌉ blocks, the last of which may be shorter. A block is unfinished as long as it
    has a slot that could be accepted. What stands behind the block stays masked and in view.

    Attributes:
        sampler: chooses within the block.
        size: b ≥ 1.

    Source: semi-autoregressive decoding, LLaDA, arXiv 2502.09992, where b has to divide n.
    """

    sampler: Sampler
    size: int

    def __call__(self, predictions: SlotPredictions) -> Tensor:
        """(slots,) bool, a subset of ``free``."""
        offered = on_offer(predictions)
        if not len(offered):
            return offered
        block = torch.arange(len(offered), device=offered.device) // self.size
        unfinished = block[offered.long().argmax()]
        here = offered & (block == unfinished)
        return self.sampler(replace(predictions, free=here, unmasked=predictions.found))
