"""The first half of a gated feed-forward layer: norm, gate and up products, SiLU."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch.nn import functional as F

from midfill.kernels.adapted_linear import LowRank, parts_of
from midfill.kernels.dispatch import uses_triton
from midfill.kernels.norm_linear import norm_linear_in_torch

if TYPE_CHECKING:
    from torch import Tensor


def gated_linear(
    x: Tensor,
    norm: Tensor,
    epsilon: float,
    gate_up: Tensor,
    adapter: LowRank | None,
    known: int,
) -> Tensor:
    """``SiLU(gate) * up`` of normalised rows, both products in one go.

    Args:
        x: (rows, width); the first ``known`` rows are known tokens, the others mask slots.
        norm: (width,) float32, the norm's weight.
        epsilon: the norm's.
        gate_up: (2 * inner, width), the base's matrices, the gate's rows first.
        adapter: the low-rank update of both for mask rows, with 2 * inner outputs; or none.
        known: how many rows compute exactly what the base computes.

    Returns:
        (rows, inner) in the dtype of ``x``.

    Source: gated linear units, arXiv 2002.05202.
    """
    tensors, rank = parts_of(gate_up, None, adapter)
    if uses_triton("gated_linear", x, *tensors, width=rank, rows=x.shape[0], beside=(norm,)):
        from midfill.kernels.triton.gated_linear import gated_linear as in_triton

        return in_triton(x, norm, epsilon, gate_up, adapter, known)
    return gated_linear_in_torch(x, norm, epsilon, gate_up, adapter, known)


def gated_linear_in_torch(
    x: Tensor,
    norm: Tensor,
    epsilon: float,
    gate_up: Tensor,
    adapter: LowRank | None,
    known: int,
) -> Tensor:
    """`gated_linear` in plain torch: the reference."""
    both = norm_linear_in_torch(x, norm, epsilon, gate_up, None, adapter, known)
    gate, up = both.chunk(2, dim=-1)
    return F.silu(gate) * up
