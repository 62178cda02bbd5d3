"""Which implementation an operation uses: the one place where that is decided.

On CUDA it is Triton where Triton runs, everywhere else plain torch, which is also the reference.
``MIDFILL_KERNELS=torch`` or ``MIDFILL_KERNELS=triton`` forces one.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Literal

import torch

from midfill.kernels.triton.availability import obstacle

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

VARIABLE = "MIDFILL_KERNELS"

TRITON_DTYPES = frozenset({torch.float32, torch.float16, torch.bfloat16})

Operation = Literal[
    "unmask", "canvas_attention", "adapted_linear", "norm_linear", "gated_linear", "rotary_shift"
]

WIDEST: dict[Operation, int] = {
    "unmask": 1,
    "canvas_attention": 256,  # a head
    "adapted_linear": 256,  # an adapter's rank
    "norm_linear": 256,  # the same
    "gated_linear": 256,  # the same
    "rotary_shift": 512,  # a head
}
"""The operations that have a Triton version, and how wide what a program holds at once may be."""

MOST_ROWS: dict[Operation, int] = {
    "canvas_attention": 256,
    "adapted_linear": 64,
    "norm_linear": 64,
    "gated_linear": 64,
}
"""Slots up to which they are used. They are made for canvases, whose time goes into reading keys
and weights; where a whole context is encoded, it goes into products, which torch's libraries do
better. The numbers are reasoned, not measured."""


class Implementation(StrEnum):
    """Who computes."""

    TORCH = "torch"
    TRITON = "triton"


@dataclass(frozen=True, slots=True)
class Choice:
    """What is used on a device, and why."""

    implementation: Implementation
    reason: str


class KernelsUnavailable(RuntimeError):
    """`VARIABLE` asks for what cannot be had."""


def kernels_used(device: torch.device) -> Choice:
    """What the operations of `WIDEST` use on a device, if shapes and dtypes fit.

    The first call for a CUDA device compiles and runs a small kernel there.

    Raises:
        KernelsUnavailable: `VARIABLE` has an unknown value, or forces Triton where it cannot run.
    """
    forced = os.environ.get(VARIABLE, "")
    if forced == Implementation.TORCH:
        return Choice(Implementation.TORCH, f"{VARIABLE} is set")
    if forced == Implementation.TRITON:
        if reason := obstacle(device):
            raise KernelsUnavailable(f"{VARIABLE} asks for Triton on {device}, but {reason}")
        return Choice(Implementation.TRITON, f"{VARIABLE} is set")
    if forced:
        raise KernelsUnavailable(f"{VARIABLE} is torch or triton, not {forced!r}")
    if device.type != "cuda":  # the interpreter is for tests, and only when asked for
        return Choice(Implementation.TORCH, "Triton is for CUDA")
    if reason := obstacle(device):
        return Choice(Implementation.TORCH, reason)
    return Choice(Implementation.TRITON, "Triton runs here")


def uses_triton(
    operation: Operation,
    *tensors: Tensor,
    width: int = 1,
    rows: int = 1,
    beside: Sequence[Tensor] = (),
) -> bool:
    """Whether an operation on these tensors is Triton's; otherwise it is plain torch's.

    Triton has forward passes only, so whatever is to be differentiated is torch's.

    Args:
        operation: a key of `WIDEST`.
        tensors: all that it computes with, of one dtype and on one device if Triton is to do it.
        width: what `WIDEST` bounds.
        rows: what `MOST_ROWS` bounds.
        beside: what it computes with besides, of any dtype.

    Raises:
        KernelsUnavailable: see `kernels_used`.
    """
    device, dtype = tensors[0].device, tensors[0].dtype
    if kernels_used(device).implementation is not Implementation.TRITON:
        return False
    everything = (*tensors, *beside)
    alike = all(tensor.dtype == dtype for tensor in tensors)
    together = all(tensor.device == device for tensor in everything)
    learning = torch.is_grad_enabled() and any(tensor.requires_grad for tensor in everything)
    fits = width <= WIDEST[operation] and rows <= MOST_ROWS.get(operation, rows)
    return alike and together and not learning and dtype in TRITON_DTYPES and fits
