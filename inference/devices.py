"""From a device's name to the device."""

from __future__ import annotations

import torch

from midfill.inference.errors import UsageError
from midfill.inference.models.reference import Place


def usual_device(place: Place) -> str:
    """Where a model runs unless somebody says: big ones on a GPU if there is one."""
    big = place in (Place.FOLDER, Place.HUB)
    return "cuda" if big and torch.cuda.is_available() else "cpu"


def torch_device(name: str) -> torch.device:
    """The device called ``name``.

    Raises:
        UsageError: there is no such device here.
    """
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError):
        raise UsageError(f"there is no device {name!r} here; try --device cpu") from None
    return device
