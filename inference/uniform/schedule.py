"""The temperature of each denoising step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, slots=True)
class LinearTemperature:
    """T falls linearly with the steps that remain: T = last + (first − last) · n/N.

    Attributes:
        first: what n = N, the first step, is sampled at.
        last: where it would arrive with no step remaining; above 0.

    Source: DiffusionGemma's published schedule, 0.8 to 0.4.
    """

    first: float = 0.8
    last: float = 0.4

    def at(self, remaining: int, steps: int) -> Tensor:
        """The temperature while ``remaining`` of ``steps`` steps are to be made, this one included.

        Returns:
            () float32: with a Python number, division would round differently from the reference.
        """
        fraction = torch.tensor(remaining, dtype=torch.int32) / steps
        return self.last + (self.first - self.last) * fraction

    def beginning_at(self, first: float) -> LinearTemperature:
        """The same slope in proportion, but begun at another temperature, above 0."""
        return LinearTemperature(first, first * self.last / self.first)
