"""Picking a token for each masked slot of a canvas."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from midfill.inference.samplers.filtering import nucleus, with_temperature

if TYPE_CHECKING:
    from torch import Tensor


class SlotChooser:
    """Greedy at temperature 0, else a draw from the distribution at that temperature.

    Slots are scored by the same reshaped distribution that tokens are drawn from.

    Args:
        temperature: of the distribution.
        top_p: share of the mass that the drawn tokens come from.
        seed: the same one draws the same tokens of the same distributions.
    """

    def __init__(self, temperature: float, top_p: float, seed: int) -> None:
        self._temperature = temperature
        self._top_p = top_p
        self._generator = torch.Generator().manual_seed(seed % 2**63)

    def shaped(self, logits: Tensor) -> Tensor:
        """(slots, vocab) float32, the logits at the temperature and within the nucleus."""
        if self._temperature > 0:
            logits = with_temperature(logits, self._temperature)
        return nucleus(logits, self._top_p)

    def choose(self, shaped: Tensor, best: Tensor) -> Tensor:
        """Pick.

        Args:
            shaped: (slots, vocab), what `shaped` made of the logits.
            best: (slots,) long, the most probable tokens of these.

        Returns:
            (slots,) long.
        """
        if self._temperature == 0:
            return best
        # One number a slot, from the CPU, so that a seed draws the same on every device.
        numbers = torch.rand(len(shaped), 1, generator=self._generator, dtype=torch.float64)
        mass = torch.softmax(shaped.double(), dim=-1).cumsum(-1)
        end = mass[:, -1:]  # which rounding may leave short of 1
        wanted = torch.minimum(numbers.to(mass.device) * end, end.nextafter(torch.zeros_like(end)))
        return torch.searchsorted(mass, wanted, right=True).squeeze(-1)
