"""What every sampler decides: which slots of a denoising step to accept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, slots=True)
class SlotPredictions:
    """The model's view of some slots, in reading order.

    Attributes:
        held: (slots,) long, the token that each slot holds now: a guess, a draft or noise.
        chosen: (slots,) long, the token that the model's distribution gives: its arg-max, or a
            sample of it.
        logits: (slots, vocab) float32, unnormalised.
        free: (slots,) bool, the slots not accepted yet.
    """

    held: Tensor
    chosen: Tensor
    logits: Tensor
    free: Tensor


class Sampler(Protocol):
    """Chooses the slots to accept; an accepted slot takes its ``chosen`` token."""

    def __call__(self, predictions: SlotPredictions) -> Tensor:
        """(slots,) bool, a subset of ``free``."""
        ...
