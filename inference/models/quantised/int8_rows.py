"""8-bit weights: whole numbers from −127 to 127, and a scale for each row."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

if TYPE_CHECKING:
    from torch import Tensor

LARGEST = 127

AT_ONCE = 2**25
"""Weights that are there in full at the same time while they are quantised: 128 MiB of float32."""


class Int8Rows(nn.Module):
    """Turns the whole numbers of a weight back into the weight, whenever it is used.

    w ≈ s · q, where s = max |w| / 127 over a row and q = round(w / s).

    Args:
        scale: (…, out, 1), of the type that is computed with.
    """

    scale: Tensor

    def __init__(self, scale: Tensor) -> None:
        super().__init__()
        self.register_buffer("scale", scale)

    def forward(self, packed: Tensor) -> Tensor:
        """(…, out, in) int8 → the same shape in the scale's type."""
        return packed * self.scale


def int8_rows(weight: Tensor, device: torch.device, dtype: torch.dtype) -> tuple[Tensor, Int8Rows]:
    """Quantise a weight, row by row.

    Args:
        weight: (…, out, in) float, anywhere.
        device: where the result is to be; no large part of the weight is ever there in full.
        dtype: of what it is turned back into.

    Returns:
        (…, out, in) int8, and what turns it back.
    """
    packed = torch.empty(weight.shape, dtype=torch.int8, device=device)
    scale = torch.empty((*weight.shape[:-1], 1), dtype=dtype, device=device)
    width = weight.shape[-1]
    all_rows, into, scales = weight.reshape(-1, width), packed.view(-1, width), scale.view(-1, 1)
    some = max(1, AT_ONCE // width)
    for start in range(0, len(all_rows), some):
        part = slice(start, start + some)
        rows = all_rows[part].to(device).float()
        # Rounded to the type it is kept in before it is divided by, it adds no error of its own.
        steps = (rows.abs().amax(-1, keepdim=True) / LARGEST).to(scale.dtype)
        steps.masked_fill_(steps == 0, 1)
        into[part] = (rows / steps.float()).round().clamp(-LARGEST, LARGEST)
        scales[part] = steps
    return packed, Int8Rows(scale)
