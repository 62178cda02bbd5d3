"""The step that all threshold rules share: what passes, and the best slot in any case."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor


def passing_or_best(scores: Tensor, passing: Tensor, offered: Tensor) -> Tensor:
    """The offered slots that pass, and the one with the highest score, so that a step never idles.

    Args:
        scores: (slots,) float, higher is surer; of equal ones the leftmost counts as best.
        passing: (slots,) bool.
        offered: (slots,) bool.

    Returns:
        (slots,) bool, a subset of ``offered`` that is empty only if ``offered`` is.
    """
    if not len(scores):
        return offered
    best = scores.masked_fill(~offered, -torch.inf).argmax()
    slots = torch.arange(len(scores), device=scores.device)
    return offered & (passing | (slots == best))
