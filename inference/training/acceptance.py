"""How many guesses would be accepted: what training is about, measured on held-out windows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from midfill.inference.training.rollout import Rollout
    from midfill.inference.training.student import Student

WINDOWS_TOGETHER = 4


@dataclass(frozen=True, slots=True)
class Acceptance:
    """Measured on text that the base wrote itself.

    Attributes:
        right: for each mask of a group, how often it names the token, the ones before it given.
        tokens_per_step: for 1, 2, … guesses a step.
    """

    right: tuple[float, ...]
    tokens_per_step: tuple[float, ...]


@torch.no_grad()
def measure_acceptance(
    student: Student, rollout: Rollout, guess_tokens: Tensor, working: Callable[[], None]
) -> Acceptance:
    """Guess at every place of a rollout and walk through it as the denoising loop would."""
    places = torch.arange(rollout.places - student.masks)
    right = []
    for start in range(0, rollout.windows, WINDOWS_TOGETHER):
        windows = torch.arange(start, min(start + WINDOWS_TOGETHER, rollout.windows))
        groups = places.expand(len(windows), -1)
        guesses = guess_tokens[student.logits(rollout, windows, groups).argmax(-1).cpu()]
        right.append(guesses == student.targets(rollout, windows, groups))
        working()
    return acceptance(torch.cat(right))


def acceptance(right: Tensor) -> Acceptance:
    """The figures of (windows, places, masks) bool: which guesses name the token that comes.

    A step at a place gives its certain token and the leading run of right guesses, and the next
    step is at the place behind them.
    """
    runs = right.long().cumprod(-1)
    masks = right.shape[-1]
    return Acceptance(
        right=tuple(right.double().mean((0, 1)).tolist()),
        tokens_per_step=tuple(_tokens_per_step(runs[..., :k].sum(-1)) for k in range(1, masks + 1)),
    )


def _tokens_per_step(accepted: Tensor) -> float:
    """Args: (windows, places) long, guesses accepted at each place."""
    tokens = steps = 0
    for window in accepted.tolist():
        place = 0
        while place < len(window):
            gained = window[place] + 1
            place += gained
            tokens += gained
            steps += 1
    return tokens / max(steps, 1)
