"""Accept a fixed number of slots, the surest ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from midfill.inference.samplers.measures import entropies, on_offer

if TYPE_CHECKING:
    from torch import Tensor

    from midfill.inference.samplers.sampler import SlotPredictions


@dataclass(frozen=True, slots=True)
class Best:
    """Accept the K slots with the smallest H_i = −Σ p_i ln p_i; all of them if there are fewer.

    Of equal entropies the leftmost comes first. One slot a step is the slowest rule and the one
    that ignores nothing: each slot is filled with all the ones before it in view.

    Attributes:
        count: K ≥ 1; more accepts more slots a step.

    Source: the published decoding of Dream and DreamOn.
    """

    count: int = 1

    def __call__(self, predictions: SlotPredictions) -> Tensor:
        """(slots,) bool, a subset of ``free``."""
        offered = on_offer(predictions)
        entropy = entropies(predictions).masked_fill(~offered, torch.inf)
        first = entropy.argsort(stable=True)[: self.count]
        return torch.zeros_like(offered).scatter(-1, first, True) & offered
