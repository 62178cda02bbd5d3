"""What the launchers of several kernels share: sizes of blocks, how to split work, operands."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import torch
import triton
import triton.language as tl

from midfill.kernels.triton.availability import interpreted

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from torch import Tensor

LEAST_DOT = 16
"""The least size of each side of a matrix product in Triton."""

PRECISION = "tf32x3"
"""How float32 is multiplied: as three products in TF32, about as exact as one in float32."""

MOST_PARTS = 64

_OPERANDS = {torch.float16: tl.float16, torch.bfloat16: tl.bfloat16, torch.float32: tl.float32}


def operand_type(dtype: torch.dtype) -> tl.dtype:
    """The type in which a kernel multiplies matrices of a dtype.

    Its own, that is; but the interpreter keeps bfloat16 as integers and would multiply those.
    """
    return tl.float32 if interpreted() else _OPERANDS[dtype]


def on_device_of(tensor: Tensor) -> AbstractContextManager[None]:
    """Launches go to this tensor's device, which need not be the current one."""
    on_device: AbstractContextManager[None] = torch.cuda.device_of(tensor)  # type: ignore[no-untyped-call]
    return on_device


def block(size: int, most: int, least: int = LEAST_DOT) -> int:
    """A power of two from ``least`` to ``most`` that covers ``size`` if one does."""
    covering: int = triton.next_power_of_2(max(size, 1))
    return min(most, max(least, covering))


@cache
def processors(device: torch.device) -> int:
    """How many programs a device runs side by side, at least."""
    if device.type != "cuda":
        return 1
    return torch.cuda.get_device_properties(device).multi_processor_count


def parts(programs: int, length: int, shortest: int, device: torch.device) -> int:
    """Into how many parts to split a long loop, so that no processor stays idle.

    Args:
        programs: that there are without splitting.
        length: of the loop.
        shortest: what a part should not fall below.
        device: where.
    """
    wanted = -(-processors(device) // programs)
    return max(1, min(wanted, length // shortest, MOST_PARTS))
