"""Accept as many slots as can be accepted at once without ignoring much of how they depend."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from midfill.inference.samplers.measures import entropies, on_offer

if TYPE_CHECKING:
    from torch import Tensor

    from midfill.inference.samplers.sampler import SlotPredictions


@dataclass(frozen=True, slots=True)
class EntropyBound:
    """Accept slots in order of rising entropy while the others' entropies stay within a budget.

    With H_1 ≤ H_2 ≤ …, slot k is accepted if (Σ_{j≤k} H_j) − H_k ≤ γ. The left side bounds the
    mutual information of the k slots, which is what filling each from its own distribution
    ignores. It never falls with k, so the accepted slots are the first of the order; for the first
    it is 0. Of equal entropies the leftmost comes first.

    Attributes:
        bound: γ in nats for each step, > 0; larger accepts more slots a step.

    Source: entropy-bounded unmasking, arXiv 2505.24857; γ = 0.1 as DiffusionGemma is published.
    """

    bound: float = 0.1

    def __call__(self, predictions: SlotPredictions) -> Tensor:
        """(slots,) bool, a subset of ``free``."""
        offered = on_offer(predictions)
        entropy = entropies(predictions).masked_fill(~offered, torch.inf)
        rising, order = entropy.sort(stable=True)
        within = rising.cumsum(-1) - rising <= self.bound
        return torch.zeros_like(offered).scatter(-1, order, within) & offered
