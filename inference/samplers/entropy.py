"""Accept the slots whose distribution is narrow enough."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from midfill.inference.samplers.accepting import passing_or_best
from midfill.inference.samplers.measures import entropies, on_offer

if TYPE_CHECKING:
    from torch import Tensor

    from midfill.inference.samplers.sampler import SlotPredictions


@dataclass(frozen=True, slots=True)
class LowEntropy:
    """Accept slot i if H_i ≤ θ, where H_i = −Σ p_i ln p_i; the one with the smallest H in any case.

    Attributes:
        threshold: θ in nats for each slot, > 0; larger accepts more slots a step.

    Source: negative entropy as the order, Dream, arXiv 2508.15487. The threshold in place of a
    fixed number of slots is ours.
    """

    threshold: float = 0.3

    def __call__(self, predictions: SlotPredictions) -> Tensor:
        """(slots,) bool, a subset of ``free``."""
        entropy = entropies(predictions)
        return passing_or_best(-entropy, entropy <= self.threshold, on_offer(predictions))
