"""What samplers measure each slot's distribution by: how sure it is, and how sure of its token.

All of them take unnormalised logits of any float type, compute in float32, and are not defined for
slots that `on_offer` leaves out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor

    from midfill.inference.samplers.sampler import SlotPredictions


def log_probabilities(logits: Tensor) -> Tensor:
    """``ln p``: z minus the logarithm of Σ exp z.

    Args:
        logits: (slots, vocab); −inf is a token that may not be put there.

    Returns:
        (slots, vocab) float32, nats; NaN in rows without any token.
    """
    logits = logits.float()
    return logits - logits.logsumexp(-1, keepdim=True)


def confidences(logits: Tensor, chosen: Tensor) -> Tensor:
    """c = p[chosen], the probability of each slot's chosen token.

    Args:
        logits: (slots, vocab).
        chosen: (slots,) long.

    Returns:
        (slots,) float32.
    """
    logits = logits.float()
    of_chosen = logits.gather(-1, chosen[:, None]).squeeze(-1)
    return (of_chosen - logits.logsumexp(-1)).exp()


def margins(logits: Tensor) -> Tensor:
    """m = p⁽¹⁾ − p⁽²⁾, the lead of the most probable token over the next one.

    Args:
        logits: (slots, vocab).

    Returns:
        (slots,) float32; 1 where there is no other token.
    """
    probabilities = log_probabilities(logits).exp()
    if probabilities.shape[-1] < 2:
        return probabilities[:, 0]
    first, second = probabilities.topk(2, dim=-1).values.unbind(-1)
    return first - second


def entropies(logits: Tensor) -> Tensor:
    """H = −Σ p ln p, in nats.

    Args:
        logits: (slots, vocab).

    Returns:
        (slots,) float32, from 0 (one token is certain) to ln(vocab).
    """
    logs = log_probabilities(logits)
    # 0 · ln 0 is 0 in the limit, but NaN if ln 0 is infinite.
    finite = logs.clamp(min=torch.finfo(logs.dtype).min)
    return -(finite * logs.softmax(-1)).sum(-1)


def on_offer(predictions: SlotPredictions) -> Tensor:
    """The slots that a sampler may accept.

    They are free, and their chosen token has a probability above 0: a token whose logit is −inf is
    forbidden there, and a row of nothing but such tokens has no token to give.

    Returns:
        (slots,) bool, a subset of ``free``.
    """
    logits = predictions.logits.float()
    of_chosen = logits.gather(-1, predictions.chosen[:, None]).squeeze(-1)
    return predictions.free & (of_chosen - logits.logsumexp(-1)).isfinite()
