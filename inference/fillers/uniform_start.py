"""What a canvas of uniform noise starts from, where something is believed of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from midfill.inference.uniform.denoising import NOTHING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

LEAST_KEPT = 0.5
"""The part of a believed middle that the first step has to agree with for its length to count."""


def start_of(believed: Sequence[int], slots: int, device: torch.device) -> Tensor | None:
    """(slots,) long for `denoise`; None where nothing is believed.

    Args:
        believed: tokens of the first slots; what does not fit is left out.
        slots: free ones.
        device: where the canvas is.
    """
    if not believed:
        return None
    fitting = list(believed[:slots])
    return torch.tensor(fitting + [NOTHING] * (slots - len(fitting)), device=device)


def holds(believed: Sequence[int], best: Sequence[int]) -> bool:
    """Whether enough of a believed middle is what the model finds most probable."""
    same = sum(one == other for one, other in zip(believed, best, strict=True))
    return same >= LEAST_KEPT * len(believed)
