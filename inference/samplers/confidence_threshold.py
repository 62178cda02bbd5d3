"""Accept the slots whose token is probable enough."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from midfill.inference.samplers.accepting import passing_or_best
from midfill.inference.samplers.measures import confidences, on_offer

if TYPE_CHECKING:
    from torch import Tensor

    from midfill.inference.samplers.sampler import SlotPredictions


@dataclass(frozen=True, slots=True)
class ConfidenceThreshold:
    """Accept slot i if c_i ≥ θ, where c_i = p_i[chosen_i]; the slot with the largest c in any case.

    Attributes:
        threshold: θ, a probability in (0, 1]; smaller accepts more slots a step.

    Source: Fast-dLLM, arXiv 2505.22618.
    """

    threshold: float = 0.9

    def __call__(self, predictions: SlotPredictions) -> Tensor:
        """(slots,) bool, a subset of ``free``."""
        scores = confidences(predictions)
        return passing_or_best(scores, scores >= self.threshold, on_offer(predictions))
