"""What each slot's logits say: the best token, how probable it is, and how open the choice is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from midfill.kernels.dispatch import uses_triton

if TYPE_CHECKING:
    from torch import Tensor

NO_TOKEN = -1
"""The token of a slot whose logits have no distribution."""


@dataclass(frozen=True, slots=True)
class Unmasked:
    """All that choosing slots and tokens greedily needs of their logits.

    Attributes:
        tokens: (slots,) long, the token with the highest logit; of equal ones the lowest.
        probabilities: (slots,) float32, of these tokens.
        entropies: (slots,) float32, −Σ p ln p in nats.
    """

    tokens: Tensor
    probabilities: Tensor
    entropies: Tensor


def unmask(logits: Tensor, temperature: float = 1.0) -> Unmasked:
    """The argmax of each slot, its probability and the entropy at a temperature.

    A slot without a distribution (NaN or +inf among its logits, or nothing but −inf) has NaN for
    both and `NO_TOKEN` for its token, which no embedding takes.

    Args:
        logits: (slots, vocabulary), any float dtype; −inf is a token that may not be put there.
        temperature: what logits are divided by before probabilities and entropies.

    Raises:
        ValueError: the temperature is not a positive float32.

    Source: one pass over the vocabulary, online softmax, arXiv 1805.02867.
    """
    bounds = torch.finfo(torch.float32)
    if not bounds.tiny <= temperature <= bounds.max:
        raise ValueError(f"a temperature is a positive number, not {temperature}")
    if uses_triton("unmask", logits):
        from midfill.kernels.triton.unmask import unmask as unmask_in_triton

        return unmask_in_triton(logits, temperature)
    return unmask_in_torch(logits, temperature)


def unmask_in_torch(logits: Tensor, temperature: float) -> Unmasked:
    """`unmask` in float32, of float64 logits in float64: the reference.

    At temperature 1 the entropy is to the bit that of ``torch.distributions.Categorical``, as
    `transformers` computes it.
    """
    wide = logits if logits.dtype == torch.float64 else logits.float()
    best, tokens = wide.max(-1, keepdim=True)
    if temperature != 1:
        wide = (wide - best) / temperature  # differences first: no temperature overflows
    logs = wide - wide.logsumexp(-1, keepdim=True)
    chosen = logs.gather(-1, tokens).exp()
    # 0 · ln 0 is 0 in the limit, but NaN if ln 0 is infinite.
    finite = logs.clamp(min=torch.finfo(logs.dtype).min)
    return Unmasked(
        tokens.masked_fill(chosen.isnan(), NO_TOKEN).squeeze(-1),
        chosen.squeeze(-1).float(),
        -(finite * logs.softmax(-1)).sum(-1).float(),
    )
