"""Which tokens a slot may take, where not all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor


def restricted(logits: Tensor, permitted: Sequence[Tensor]) -> Tensor:
    """Logits with -inf for every token that may not be taken.

    Args:
        logits: (slots, vocabulary); left as they are.
        permitted: of the first so many slots the tokens that they may take, (tokens,) long each.
            All others may take any.
    """
    if not permitted:
        return logits
    allowed = permitted_tokens(permitted, logits.shape[1]).to(logits.device)
    changed = logits.clone()
    changed[: len(permitted)].masked_fill_(~allowed, -torch.inf)
    return changed


def permitted_tokens(permitted: Sequence[Tensor], vocabulary: int) -> Tensor:
    """The same as (slots, vocabulary) bool, for the slots that are restricted."""
    allowed = torch.zeros(len(permitted), vocabulary, dtype=torch.bool)
    for row, tokens in zip(allowed, permitted, strict=True):
        row[tokens] = True
    return allowed
