"""What samplers measure each slot's distribution by: how sure it is, and how sure of its token.

All of it follows from what `midfill.kernels.unmask` finds in one pass over the vocabulary, and a
few logits; probabilities of the whole vocabulary are never stored. None of it is defined for slots
that `on_offer` leaves out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor

    from midfill.inference.samplers.sampler import SlotPredictions
    from midfill.kernels.unmask import Unmasked


def log_probabilities(logits: Tensor, tokens: Tensor, found: Unmasked) -> Tensor:
    """``ln p`` of a token of each slot.

    Args:
        logits: (slots, vocab), unnormalised.
        tokens: (slots,) long.
        found: what `unmask` says of the logits.

    Returns:
        (slots,) float32, nats; −inf where the token is forbidden, NaN in rows without any token.
    """
    return _behind_the_best(logits, tokens, found) + found.probabilities.log()


def confidences(predictions: SlotPredictions) -> Tensor:
    """c = p[chosen], the probability of each slot's chosen token, (slots,) float32."""
    found = predictions.found
    behind = _behind_the_best(predictions.logits, predictions.chosen, found)
    return found.probabilities * behind.exp()


def margins(predictions: SlotPredictions) -> Tensor:
    """m = p⁽¹⁾ − p⁽²⁾, the lead of the most probable token over the next one.

    Returns:
        (slots,) float32; 1 where there is no other token.
    """
    logits, best = predictions.logits, predictions.found.probabilities
    if logits.shape[-1] < 2:
        return best
    first, second = logits.topk(2, dim=-1).values.float().unbind(-1)
    return -best * (second - first).expm1()  # p⁽²⁾ is p⁽¹⁾ times e to the difference of the logits


def entropies(predictions: SlotPredictions) -> Tensor:
    """H = −Σ p ln p in nats, (slots,) float32, from 0 (one token is certain) to ln(vocab)."""
    return predictions.found.entropies


def on_offer(predictions: SlotPredictions) -> Tensor:
    """The slots that a sampler may accept.

    They are free, and their chosen token has a probability above 0: a token whose logit is −inf is
    forbidden there, and a row of nothing but such tokens has no token to give.

    Returns:
        (slots,) bool, a subset of ``free``.
    """
    logits, chosen = predictions.logits, predictions.chosen
    return predictions.free & log_probabilities(logits, chosen, predictions.found).isfinite()


def _behind_the_best(logits: Tensor, tokens: Tensor, found: Unmasked) -> Tensor:
    """(slots,) float32, how far each slot's token is behind the likeliest one; 0 or below."""
    best = found.tokens.clamp(min=0)  # of a row without any token, the first
    pair = logits.gather(-1, torch.stack((tokens, best), dim=-1)).float()
    return pair[:, 0] - pair[:, 1]
