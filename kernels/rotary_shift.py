"""Cached keys whose positions all move by the same distance.

A suffix that stands behind the canvas moves with every token that the canvas gains or loses. What
attention makes of a key depends on its position only through the rotation, so the key is turned
further instead of encoded anew.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from midfill.kernels.dispatch import uses_triton
from midfill.kernels.rotary import RotaryTable, rotate

if TYPE_CHECKING:
    from torch import Tensor


def rotary_frequencies(head_size: int, theta: float) -> Tensor:
    """Radians that each pair of dimensions turns by from one position to the next.

    Args:
        head_size: even.
        theta: the model's base.

    Returns:
        (head_size / 2,) float64.
    """
    return theta ** -(torch.arange(0, head_size, 2, dtype=torch.float64) / head_size)


def shift_angles(delta: int, frequencies: Tensor, device: torch.device) -> RotaryTable:
    """Cosines and sines of a move; the same for all keys and all layers.

    Args:
        delta: positions moved by; negative is towards the beginning.
        frequencies: (head_size / 2,), from `rotary_frequencies` or a model's own scaled ones.
        device: that of the keys.

    Returns:
        One row, (1, head_size).
    """
    angles = delta * frequencies.double().cpu()
    angles = torch.cat((angles, angles))[None]
    return RotaryTable(
        angles.cos().to(device, torch.float32), angles.sin().to(device, torch.float32)
    )


def rotary_shift(keys: Tensor, angles: RotaryTable, into: Tensor | None = None) -> Tensor:
    """Turn rotated keys on to where they stand after a move.

    Moves add up, and a move back undoes one, both up to the rounding of the keys' dtype.

    Args:
        keys: (key_heads, tokens, head_size), any float dtype, half-split; computed in float32.
        angles: from `shift_angles`.
        into: where to write, of the keys' shape; may be ``keys`` itself. A new tensor if not given.

    Returns:
        (key_heads, tokens, head_size) in the dtype of ``keys``.

    Source: rotations compose, arXiv 2104.09864.
    """
    if uses_triton("rotary_shift", keys, width=keys.shape[-1]):
        from midfill.kernels.triton.rotary_shift import rotary_shift as shift_in_triton

        return shift_in_triton(keys, angles, torch.empty_like(keys) if into is None else into)
    return rotary_shift_in_torch(keys, angles, into)


def rotary_shift_in_torch(keys: Tensor, angles: RotaryTable, into: Tensor | None = None) -> Tensor:
    """`rotary_shift` in plain torch: the reference."""
    turned = rotate(keys, angles)
    return turned if into is None else into.copy_(turned)
