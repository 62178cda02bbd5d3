"""Accept the slots where no second token comes near the first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from midfill.inference.samplers.accepting import passing_or_best
from midfill.inference.samplers.measures import margins, on_offer

if TYPE_CHECKING:
    from torch import Tensor

    from midfill.inference.samplers.sampler import SlotPredictions


@dataclass(frozen=True, slots=True)
class TopMargin:
    """Accept slot i if m_i ≥ θ, where m_i = p_i⁽¹⁾ − p_i⁽²⁾; the one with the largest m always.

    A margin is never larger than the confidence of the most probable token, so at the same θ this
    accepts no slot that `ConfidenceThreshold` would leave, the best one apart.

    Attributes:
        threshold: θ in (0, 1]; smaller accepts more slots a step.

    Source: top-k margin order, arXiv 2502.06768. The threshold in place of a fixed number of slots
    is ours.
    """

    threshold: float = 0.5

    def __call__(self, predictions: SlotPredictions) -> Tensor:
        """(slots,) bool, a subset of ``free``."""
        scores = margins(predictions)
        return passing_or_best(scores, scores >= self.threshold, on_offer(predictions))
