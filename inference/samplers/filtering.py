"""Reshaping each slot's distribution before a token is chosen and slots are scored."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.nn.functional import pad

if TYPE_CHECKING:
    from torch import Tensor


SMALLEST = 1e-30
"""A temperature that float32 holds and at which only the largest logits are left."""


def with_temperature(logits: Tensor, temperature: float) -> Tensor:
    """Logits of softmax(z / T): flatter above T = 1, narrower below.

    Each row is shifted so that its largest logit is 0, which changes no probability and lets no
    temperature overflow, however small.

    Args:
        logits: (slots, vocab), unnormalised; −inf stays −inf.
        temperature: T > 0. Choosing greedily is no temperature but another chooser.

    Returns:
        (slots, vocab) float32.

    Raises:
        ValueError: the temperature is not above 0.
    """
    if not temperature > 0:
        raise ValueError(f"a temperature has to be above 0, not {temperature}")
    logits = logits.float()
    largest = logits.amax(-1, keepdim=True)
    shifted = logits - largest.masked_fill(largest.isinf(), 0.0)
    return shifted / max(temperature, SMALLEST)


USUAL_NUCLEUS = 1024
"""Tokens among which the nucleus is looked for first, which spares sorting the vocabulary."""


def nucleus(logits: Tensor, top_p: float) -> Tensor:
    """Forbid all but the smallest set of most probable tokens that holds a share of the mass.

    With p_1 ≥ p_2 ≥ …, token k stays if Σ_{j<k} p_j < P; so the first always does. Of equal
    probabilities the lower id comes first.

    Args:
        logits: (slots, vocab), unnormalised.
        top_p: P in (0, 1]; at 1 nothing is forbidden.

    Returns:
        (slots, vocab) float32, with −inf for what is forbidden.

    Raises:
        ValueError: ``top_p`` is no such share.

    Source: nucleus sampling, arXiv 1904.09751.
    """
    if not 0 < top_p <= 1:
        raise ValueError(f"a nucleus holds a share above 0 and up to 1, not {top_p}")
    logits = logits.float()
    if top_p == 1:
        return logits
    # In float32 the rare tokens of a large vocabulary add nothing to a sum near 1, many as they
    # are; Apple's GPUs have nothing better.
    precise = torch.float32 if logits.is_mps else torch.float64
    total = logits.to(precise).logsumexp(-1, keepdim=True)
    falling = logits.topk(min(USUAL_NUCLEUS, logits.shape[-1]), dim=-1).values
    mass = (falling.to(precise) - total).exp().cumsum(-1)
    if not bool((mass[:, -1] >= top_p).all()):
        falling = logits.sort(dim=-1, descending=True).values
        mass = (falling.to(precise) - total).exp().cumsum(-1)
    before = pad(mass[:, :-1], (1, 0))
    count = (before < top_p).sum(-1, keepdim=True)
    least = falling.gather(-1, (count - 1).clamp(min=0))
    # Of those that are as probable as the last one that stays, the lowest ids.
    larger, equal = logits > least, logits == least
    room = count - larger.sum(-1, keepdim=True)
    return logits.masked_fill(~(larger | (equal & (equal.cumsum(-1) <= room))), -torch.inf)
