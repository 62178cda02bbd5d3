"""What every sampler decides: which slots of a denoising step to accept."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

from midfill.kernels.unmask import unmask

if TYPE_CHECKING:
    from torch import Tensor

    from midfill.kernels.unmask import Unmasked


@dataclass(frozen=True)
class SlotPredictions:
    """The model's view of some slots, in reading order.

    Attributes:
        held: (slots,) long, the token that each slot holds now: a guess, a draft or noise.
        chosen: (slots,) long, the token that the model's distribution gives: its arg-max, or a
            sample of it.
        logits: (slots, vocab) float32, unnormalised.
        free: (slots,) bool, the slots not accepted yet.
        unmasked: what `unmask` says of the logits, where that is known already.
    """

    held: Tensor
    chosen: Tensor
    logits: Tensor
    free: Tensor
    unmasked: Unmasked | None = None

    @cached_property
    def found(self) -> Unmasked:
        """What `unmask` says of the logits; asked once, by the first sampler that wants to know."""
        return unmask(self.logits) if self.unmasked is None else self.unmasked


class Sampler(Protocol):
    """Chooses the slots to accept; an accepted slot takes its ``chosen`` token."""

    def __call__(self, predictions: SlotPredictions) -> Tensor:
        """(slots,) bool, a subset of ``free``."""
        ...
