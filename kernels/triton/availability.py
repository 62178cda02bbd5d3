"""Whether Triton can run, found out without importing it where it cannot."""

from __future__ import annotations

import importlib.util
import os
from functools import cache

import torch

OLDEST = (8, 0)
"""The compute capability from which on cards have bfloat16 products and enough shared memory."""

_YES = {"1", "true", "on", "yes", "y"}  # as Triton reads it


def interpreted() -> bool:
    """Whether Triton runs its kernels in Python, on tensors of any device.

    Triton reads this variable when it is first imported.
    """
    return os.environ.get("TRITON_INTERPRET", "").lower() in _YES


def obstacle(device: torch.device) -> str | None:
    """Why Triton cannot run on a device; none if it can."""
    return _obstacle(device.type, device.index, interpreted())


@cache
def _obstacle(kind: str, index: int | None, interpreted: bool) -> str | None:
    if importlib.util.find_spec("triton") is None:
        return "triton is not installed"
    if kind != "cuda" and not interpreted:
        return "Triton is for CUDA"
    device = torch.device(kind) if index is None else torch.device(kind, index)
    if kind == "cuda" and torch.version.hip is not None:
        return "these kernels are not for ROCm"
    if kind == "cuda" and torch.cuda.get_device_capability(device) < OLDEST:
        return "the card is older than compute capability 8.0"
    try:
        # It needs a C compiler, a driver and a card that it knows: whether it has them all, a
        # kernel shows best.
        from midfill.kernels.triton.trial import doubles

        works = doubles(device)
    except torch.OutOfMemoryError:
        raise
    except Exception as error:
        reason = str(error).strip().partition("\n")[0]
        return f"a trial of Triton failed: {reason or type(error).__name__}"
    return None if works else "a trial of Triton gave wrong results"
