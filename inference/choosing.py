"""Choosing a token for each slot from the model's logits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import torch

if TYPE_CHECKING:
    from torch import Tensor


class Chooser(Protocol):
    def __call__(self, logits: Tensor, place: int) -> Tensor:
        """Choose tokens for places of the middle that follow each other.

        Args:
            logits: (slots, vocab) float32.
            place: which token of the middle the first row is about, from 0.

        Returns:
            (slots,) long.
        """
        ...


def choose_greedily(logits: Tensor, place: int) -> Tensor:
    """The most probable token of each slot."""
    return logits.argmax(-1)


class SampleTokens:
    """Draws each slot's token from the distribution at a temperature.

    What is drawn at a place depends on the seed and the place alone, not on how many slots a step
    happens to have, so the same seed writes the same middle whatever was guessed or cached.
    """

    def __init__(self, temperature: float, seed: int) -> None:
        self._temperature = temperature
        self._seed = seed

    def __call__(self, logits: Tensor, place: int) -> Tensor:
        probabilities = torch.softmax(logits.cpu().double() / self._temperature, dim=-1)
        drawn = [
            torch.multinomial(row, 1, generator=self._generator(place + offset))
            for offset, row in enumerate(probabilities)
        ]
        return torch.cat(drawn).to(logits.device)

    def _generator(self, place: int) -> torch.Generator:
        return torch.Generator().manual_seed((self._seed << 16) % 2**62 + place)


def chooser(temperature: float, seed: int) -> Chooser:
    """Greedy at temperature 0, else sampling."""
    return SampleTokens(temperature, seed) if temperature > 0 else choose_greedily
