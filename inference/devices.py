"""From a device's name to the device."""

from __future__ import annotations

import torch

from midfill.inference.errors import UsageError


def torch_device(name: str | None) -> torch.device:
    """The device called ``name``; the CPU unless there is a name.

    Raises:
        UsageError: there is no such device here.
    """
    try:
        device = torch.device(name or "cpu")
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError):
        raise UsageError(f"there is no device {name!r} here; try --device cpu") from None
    return device
