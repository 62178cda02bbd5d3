"""Rotary position embedding, half-split layout: dimension ``i`` turns with ``i + size/2``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, slots=True)
class RotaryTable:
    """Cosines and sines of a row of positions.

    Attributes:
        cos, sin: (positions, head_size) float32.
    """

    cos: Tensor
    sin: Tensor

    @classmethod
    def build(
        cls, positions: int, head_size: int, theta: float, device: torch.device
    ) -> RotaryTable:
        exponents = torch.arange(0, head_size, 2, device=device, dtype=torch.float32) / head_size
        angles = torch.outer(
            torch.arange(positions, device=device, dtype=torch.float32), theta**-exponents
        )
        angles = torch.cat((angles, angles), dim=-1)
        return cls(angles.cos(), angles.sin())

    def at(self, positions: Tensor) -> RotaryTable:
        """The rows of some positions, (rows,) long, for `rotate`."""
        return RotaryTable(self.cos[positions], self.sin[positions])


def rotate(x: Tensor, angles: RotaryTable) -> Tensor:
    """Turn queries or keys by the angles of their positions.

    Args:
        x: (rows, heads, head_size), any float dtype; computed in float32.
        angles: of each row's position.

    Returns:
        (rows, heads, head_size) in the dtype of ``x``.

    Source: Su et al., arXiv 2104.09864.
    """
    wide = x.float()
    first, second = wide.chunk(2, dim=-1)
    turned = torch.cat((-second, first), dim=-1)
    return (wide * angles.cos[:, None] + turned * angles.sin[:, None]).to(x.dtype)
