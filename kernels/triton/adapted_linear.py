"""A linear layer and its adapter in one launch: that of `norm_linear`, without the norm."""

from __future__ import annotations

from typing import TYPE_CHECKING

from midfill.kernels.triton.norm_linear import norm_linear

if TYPE_CHECKING:
    from torch import Tensor

    from midfill.kernels.adapted_linear import LowRank


def adapted_linear(
    x: Tensor, weight: Tensor, bias: Tensor | None, adapter: LowRank | None, known: int
) -> Tensor:
    """`midfill.kernels.adapted_linear.adapted_linear` of float32, float16 or bfloat16."""
    return norm_linear(x, None, 0.0, weight, bias, adapter, known)
