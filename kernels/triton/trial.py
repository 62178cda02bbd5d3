"""The smallest kernel, to see whether Triton runs at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import triton
import triton.language as tl

from midfill.kernels.triton.launching import on_device_of

if TYPE_CHECKING:
    from torch import Tensor

SIZE = 16


@triton.jit  # type: ignore[untyped-decorator]
def _double(x: tl.tensor, y: tl.tensor, size: tl.constexpr) -> None:
    place = tl.arange(0, size)
    tl.store(y + place, tl.load(x + place) * 2)


def doubles(device: torch.device) -> bool:
    """Whether a kernel that doubles numbers does so on a device."""
    x: Tensor = torch.arange(SIZE, dtype=torch.float32, device=device)
    y = torch.zeros_like(x)
    with on_device_of(x):
        _double[(1,)](x, y, SIZE)
    return torch.equal(y, x * 2)
