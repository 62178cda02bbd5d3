"""A linear layer whose low-rank adapter acts on mask rows only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from torch.nn import functional as F

from midfill.kernels.dispatch import uses_triton

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
    tensors, rank = parts_of(weight, bias, adapter)
    if uses_triton("adapted_linear", x, *tensors, width=rank, rows=x.shape[0]):
        from midfill.kernels.triton.adapted_linear import adapted_linear as in_triton

        return in_triton(x, weight, bias, adapter, known)
    return adapted_linear_in_torch(x, weight, bias, adapter, known)


def parts_of(
    weight: Tensor, bias: Tensor | None, adapter: LowRank | None
) -> tuple[list[Tensor], int]:
    """The tensors of an adapted linear layer, and its adapter's rank."""
    tensors = [weight] if bias is None else [weight, bias]
    if adapter is None:
        return tensors, 1
    return [*tensors, adapter.a, adapter.b], adapter.a.shape[1]


def adapted_linear_in_torch(
    x: Tensor, weight: Tensor, bias: Tensor | None, adapter: LowRank | None, known: int
) -> Tensor:
    """`adapted_linear` in plain torch: the reference."""
    y = F.linear(x, weight, bias)
    if adapter is not None and known < x.shape[0]:
        y[known:] += (x[known:] @ adapter.a) @ adapter.b
    return y
