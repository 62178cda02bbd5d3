"""Accept guesses as long as the model agrees with them, from left to right."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

    from midfill.inference.samplers.sampler import SlotPredictions


def accept_agreement(predictions: SlotPredictions) -> Tensor:
    """Accept the longest run of leading slots whose held guess is the token chosen for them.

    A slot's prediction counts only if every guess before it was right, so the first disagreement
    ends the run. When ``chosen`` is the arg-max, the accepted text is the model's own greedy text.
    When it is a sample, this is speculative sampling with a proposal that puts all its weight on
    the guess: the guess is kept with the model's probability for it, and otherwise the sample is
    one from the model's distribution without the guess.

    Returns:
        (slots,) bool.

    Source: speculative sampling, arXiv 2211.17192.
    """
    agrees = (predictions.held == predictions.chosen) & predictions.free
    return agrees.long().cumprod(0).bool()
