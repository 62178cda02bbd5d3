"""Choosing a token for each slot from what the model predicts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import torch

from midfill.kernels.permitted import restricted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from midfill.inference.models.interface import CanvasPredictions


@dataclass(frozen=True, slots=True)
class Chosen:
    """A token for each slot.

    Attributes:
        tokens: chosen.
        log_probabilities: the model's for each of them among those that are permitted, in nats.
    """

    tokens: tuple[int, ...]
    log_probabilities: tuple[float, ...]


class Chooser(Protocol):
    def __call__(
        self, predictions: CanvasPredictions, permitted: Sequence[Tensor], place: int
    ) -> Chosen:
        """Choose tokens for places of the middle that follow each other.

        Args:
            predictions: of the model; a row for each place.
            permitted: of the first so many places the tokens that may be taken, (tokens,) long.
            place: which token of the middle the first row is about, from 0.
        """
        ...


def choose_greedily(
    predictions: CanvasPredictions, permitted: Sequence[Tensor], place: int
) -> Chosen:
    """The most probable token of each slot."""
    best = predictions.unmasked(permitted)
    return Chosen(tuple(best.tokens.tolist()), tuple(best.probabilities.log().tolist()))


class SampleTokens:
    """Draws each slot's token from the distribution at a temperature.

    What is drawn at a place depends on the seed and the place alone, not on how many slots a step
    happens to have, so the same seed writes the same middle whatever was guessed or cached.
    """

    def __init__(self, temperature: float, seed: int) -> None:
        self._temperature = temperature
        self._seed = seed

    def __call__(
        self, predictions: CanvasPredictions, permitted: Sequence[Tensor], place: int
    ) -> Chosen:
        logits = restricted(predictions.logits, permitted)
        probabilities = torch.softmax(logits.cpu().double() / self._temperature, dim=-1)
        drawn = torch.cat(
            [
                torch.multinomial(row, 1, generator=self._generator(place + offset))
                for offset, row in enumerate(probabilities)
            ]
        )
        likelihood = logits.log_softmax(-1).gather(-1, drawn.to(logits.device)[:, None])
        return Chosen(tuple(drawn.tolist()), tuple(likelihood.squeeze(-1).tolist()))

    def _generator(self, place: int) -> torch.Generator:
        return torch.Generator().manual_seed((self._seed << 16) % 2**62 + place)


def chooser(temperature: float, seed: int) -> Chooser:
    """Greedy at temperature 0, else sampling."""
    return SampleTokens(temperature, seed) if temperature > 0 else choose_greedily
