"""Root-mean-square layer normalisation."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor


def rms_norm(x: Tensor, weight: Tensor, epsilon: float) -> Tensor:
    """Scale each row of ``x`` to unit root mean square, then by ``weight``.

    Args:
        x: (rows, width), any float dtype; computed in float32.
        weight: (width,) float32.
        epsilon: added to the mean square.

    Returns:
        (rows, width) in the dtype of ``x``.

    Source: Zhang and Sennrich, arXiv 1910.07467.
    """
    wide = x.float()
    scale = torch.rsqrt(wide.square().mean(-1, keepdim=True) + epsilon)
    return (wide * scale * weight).to(x.dtype)
