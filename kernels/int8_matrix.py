"""A matrix rounded to int8, laid out as the native product reads it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor

PANEL = 16
"""Outputs that are computed together."""

NEIGHBOURS = 4
"""Inputs that one instruction multiplies and adds up."""

_ROWS_AT_ONCE = 8192


@dataclass(frozen=True, slots=True)
class Int8Matrix:
    """A weight (width_out, width_in), each output rounded by its own largest magnitude.

    Attributes:
        panels: (width_out / 16, width_in / 4, 16, 4) int8.
        scales: (width_out,) float32, what one step of each output is worth.
        sums: (width_out,) int32, of each output's rounded weights.
    """

    panels: Tensor
    scales: Tensor
    sums: Tensor

    @property
    def outputs(self) -> int:
        return self.panels.shape[0] * PANEL

    @property
    def width(self) -> int:
        return self.panels.shape[1] * NEIGHBOURS

    @classmethod
    def of(cls, weight: Tensor) -> Int8Matrix:
        """Round a weight.

        Args:
            weight: (width_out, width_in), any float dtype; both multiples of 16.
        """
        scales = torch.empty(weight.shape[0])
        rounded = torch.empty(weight.shape, dtype=torch.int8)
        # A few rows at a time: a head's float copies would be half a gigabyte each.
        for start in range(0, weight.shape[0], _ROWS_AT_ONCE):
            rows = slice(start, start + _ROWS_AT_ONCE)
            wide = weight[rows].float()
            largest = wide.abs().amax(1).clamp_min(torch.finfo(torch.float32).tiny)
            scales[rows] = largest / 127
            rounded[rows] = (wide / scales[rows, None]).round()
        return cls.of_rounded(rounded, scales)

    @classmethod
    def of_rounded(cls, rounded: Tensor, scales: Tensor) -> Int8Matrix:
        """Lay out what is rounded already: (width_out, width_in) int8 and (width_out,) float32."""
        outputs, width = rounded.shape
        panels = rounded.view(outputs // PANEL, PANEL, width // NEIGHBOURS, NEIGHBOURS)
        return cls(
            panels.permute(0, 2, 1, 3).contiguous(),
            scales.float().contiguous(),
            rounded.sum(1, dtype=torch.int32),
        )

    def rounded(self) -> Tensor:
        """(width_out, width_in) int8."""
        return self.panels.permute(0, 2, 1, 3).reshape(self.outputs, self.width)

    def dequantised(self) -> Tensor:
        """(width_out, width_in) float32."""
        return self.rounded().float() * self.scales[:, None]

    def rows(self, outputs: Tensor) -> Int8Matrix:
        """Some of the outputs, (n,) long, as a matrix of their own; n a multiple of 16."""
        panel, within = outputs // PANEL, outputs % PANEL
        # Neighbours as one number: a quarter of the elements to pick.
        fours = self.panels.view(torch.int32).squeeze(-1)[panel, :, within]
        panels = fours.view(-1, PANEL, fours.shape[1]).transpose(1, 2).contiguous()
        return Int8Matrix(
            panels.unsqueeze(-1).view(torch.int8), self.scales[outputs], self.sums[outputs]
        )
