"""4-bit weights: 16 values that are as frequent as each other where weights are normal.

A block of 64 weights that follow each other has a scale, its largest magnitude. The values and the
kernels are those of bitsandbytes.

Source: QLoRA, arXiv 2305.14314.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

from midfill.inference.errors import UsageError

if TYPE_CHECKING:
    from types import ModuleType

    from torch import Tensor

BLOCK = 64
"""Weights with one scale."""

VALUES = "nf4"


class NormalFloat4(nn.Module):
    """Turns packed 4-bit numbers back into a weight, whenever it is used.

    Args:
        scales: (weights / 64,) bfloat16, which a scale loses nothing by that four bits would keep.
        values: (16,) float32, what the numbers stand for.
        shape: of the weight.
        dtype: of what it is turned back into.
    """

    scales: Tensor
    values: Tensor

    def __init__(
        self, scales: Tensor, values: Tensor, shape: torch.Size, dtype: torch.dtype
    ) -> None:
        super().__init__()
        self.register_buffer("scales", scales)
        self.register_buffer("values", values)
        self._shape = shape
        self._dtype = dtype

    def forward(self, packed: Tensor) -> Tensor:
        """(weights / 2, 1) uint8, two numbers a byte → the weight."""
        functional = bitsandbytes_functional()
        state = functional.QuantState(
            absmax=self.scales.float(),
            shape=(self._shape[:-1].numel(), self._shape[-1]),
            code=self.values,
            blocksize=BLOCK,
            quant_type=VALUES,
            dtype=self._dtype,
        )
        weight: Tensor = functional.dequantize_4bit(packed, state)
        return weight.view(self._shape)


def normal_float4(
    weight: Tensor, device: torch.device, dtype: torch.dtype
) -> tuple[Tensor, NormalFloat4]:
    """Quantise a weight, block by block.

    Args:
        weight: (…, out, in) float, anywhere.
        device: where the result is to be; for a moment the weight is there in full.
        dtype: of what it is turned back into.

    Returns:
        (weights / 2, 1) uint8, and what turns it back.

    Raises:
        UsageError: bitsandbytes is not installed.
    """
    functional = bitsandbytes_functional()
    packed, state = functional.quantize_4bit(
        weight.detach().to(device).contiguous(), blocksize=BLOCK, quant_type=VALUES
    )
    scales = state.absmax.to(torch.bfloat16)
    return packed, NormalFloat4(scales, state.code, weight.shape, dtype)


def bitsandbytes_functional() -> ModuleType:
    """The library's functions on tensors.

    Raises:
        UsageError: it is not installed, or does not run here.
    """
    try:
        from bitsandbytes import functional
    except (ImportError, OSError, RuntimeError):
        raise UsageError(
            "weights=int4 needs bitsandbytes, which is not installed or does not run here: "
            "pip install 'midfill[int4]', or take weights=int8"
        ) from None
    module: ModuleType = functional
    return module
