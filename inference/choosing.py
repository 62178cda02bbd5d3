"""Choosing a token for each slot from the model's logits."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor


class Chooser(Protocol):
    def __call__(self, logits: Tensor) -> Tensor:
        """(slots, vocab) float32 → (slots,) long."""
        ...


def choose_greedily(logits: Tensor) -> Tensor:
    """The most probable token of each slot."""
    return logits.argmax(-1)


class SampleTokens:
    """Draws each slot's token from the distribution at a temperature; deterministic for a seed."""

    def __init__(self, temperature: float, seed: int) -> None:
        self._temperature = temperature
        self._generator = torch.Generator().manual_seed(seed)

    def __call__(self, logits: Tensor) -> Tensor:
        probabilities = torch.softmax(logits.cpu().double() / self._temperature, dim=-1)
        drawn = torch.multinomial(probabilities, 1, generator=self._generator)
        return drawn.squeeze(-1).to(logits.device)


def chooser(temperature: float, seed: int) -> Chooser:
    """Greedy at temperature 0, else sampling."""
    return SampleTokens(temperature, seed) if temperature > 0 else choose_greedily
