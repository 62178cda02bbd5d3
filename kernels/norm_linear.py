"""A norm and the adapted linear layer behind it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from midfill.kernels.adapted_linear import LowRank, adapted_linear_in_torch, parts_of
from midfill.kernels.dispatch import uses_triton
from midfill.kernels.rms_norm import rms_norm

if TYPE_CHECKING:
    from torch import Tensor


def norm_linear(
    x: Tensor,
    norm: Tensor,
    epsilon: float,
    weight: Tensor,
    bias: Tensor | None,
    adapter: LowRank | None,
    known: int,
) -> Tensor:
    """`adapted_linear` of `rms_norm`, without the normalised rows ever being stored.

    Args:
        x: (rows, width_in); the first ``known`` rows are known tokens, the others mask slots.
        norm: (width_in,) float32, the norm's weight.
        epsilon: the norm's.
        weight: (width_out, width_in), the base's.
        bias: (width_out,) or none.
        adapter: the low-rank update for mask rows, if there is one.
        known: how many rows compute exactly what the base computes.

    Returns:
        (rows, width_out) in the dtype of ``x``.
    """
    tensors, rank = parts_of(weight, bias, adapter)
    if uses_triton("norm_linear", x, *tensors, width=rank, rows=x.shape[0], beside=(norm,)):
        from midfill.kernels.triton.norm_linear import norm_linear as in_triton

        return in_triton(x, norm, epsilon, weight, bias, adapter, known)
    return norm_linear_in_torch(x, norm, epsilon, weight, bias, adapter, known)


def norm_linear_in_torch(
    x: Tensor,
    norm: Tensor,
    epsilon: float,
    weight: Tensor,
    bias: Tensor | None,
    adapter: LowRank | None,
    known: int,
) -> Tensor:
    """`norm_linear` in plain torch: the reference."""
    return adapted_linear_in_torch(rms_norm(x, norm, epsilon), weight, bias, adapter, known)
