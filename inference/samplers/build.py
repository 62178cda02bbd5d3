"""The sampler that a model's options ask for."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING

from midfill.inference.errors import UsageError
from midfill.inference.models.options import SlotScore
from midfill.inference.samplers.best import Best
from midfill.inference.samplers.confidence_threshold import ConfidenceThreshold
from midfill.inference.samplers.entropy import LowEntropy
from midfill.inference.samplers.entropy_bound import EntropyBound
from midfill.inference.samplers.margin import TopMargin
from midfill.inference.samplers.semi_autoregressive import Blockwise

if TYPE_CHECKING:
    from collections.abc import Callable

    from midfill.inference.models.options import Options
    from midfill.inference.samplers.sampler import Sampler


@dataclass(frozen=True, slots=True)
class Rule:
    """A way to accept slots.

    Attributes:
        sampler: from a threshold.
        threshold: unless another is asked for.
        most: the largest threshold that means anything; itself allowed if it is finite.
        meaning: of the threshold, for people.
    """

    sampler: Callable[[float], Sampler]
    threshold: float
    most: float
    meaning: str


def _best(threshold: float) -> Best:
    return Best(max(1, round(threshold)))


RULES = {
    SlotScore.CONFIDENCE: Rule(ConfidenceThreshold, 0.9, 1.0, "a probability above 0, up to 1"),
    SlotScore.MARGIN: Rule(TopMargin, 0.5, 1.0, "a difference of probabilities above 0, up to 1"),
    SlotScore.ENTROPY: Rule(LowEntropy, 0.3, inf, "nats for each slot, above 0"),
    SlotScore.ENTROPY_BOUND: Rule(EntropyBound, 0.1, inf, "nats for each step, above 0"),
    SlotScore.BEST: Rule(_best, 1.0, inf, "slots a step, 1 or more"),
}
"""0.9 and 0.1 are published (Fast-dLLM, DiffusionGemma); 0.5 and 0.3 are ours."""


def sampler_of(options: Options) -> Sampler:
    """The sampler for a model's options, block by block if they say so.

    Raises:
        UsageError: the sampler takes no such threshold.
    """
    rule = RULES[options.sampler]
    threshold = rule.threshold if options.threshold is None else options.threshold
    if not (0 < threshold < inf and threshold <= rule.most):
        raise UsageError(
            f"model option threshold={threshold:g}: "
            f"the sampler {options.sampler} takes {rule.meaning}"
        )
    sampler = rule.sampler(threshold)
    return sampler if options.block is None else Blockwise(sampler, options.block)
