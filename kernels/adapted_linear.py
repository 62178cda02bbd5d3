"""A linear layer whose low-rank adapter acts on mask rows only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from torch.nn import functional as F

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, slots=True)
class LowRank:
    """``x ↦ (x A) B``.

    Attributes:
        a: (width_in, rank).
        b: (rank, width_out).
    """

    a: Tensor
    b: Tensor


def adapted_linear(
    x: Tensor, weight: Tensor, bias: Tensor | None, adapter: LowRank | None, known: int
) -> Tensor:
    """``x Wᵀ + b``, and on the rows from ``known`` on also ``(x A) B``.

    Args:
        x: (rows, width_in); the first ``known`` rows are known tokens, the others mask slots.
        weight: (width_out, width_in), the base's.
        bias: (width_out,) or none.
        adapter: the low-rank update for mask rows, if there is one.
        known: how many rows compute exactly what the base computes.

    Returns:
        (rows, width_out).

    Source: low-rank adapters, arXiv 2106.09685; gated to mask positions, arXiv 2507.11851.
    """
    y = F.linear(x, weight, bias)
    if adapter is not None and known < x.shape[0]:
        y[known:] += (x[known:] @ adapter.a) @ adapter.b
    return y
