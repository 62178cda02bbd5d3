"""How many free slots a hole needs, where known text is pinned behind it.

Every length is tried for one step: noise in the free slots, the known text right behind them. With
the right number of slots, what the context leads to and what stands behind meet, and the model is
surer of what it would write. Short holes make a model surer whatever the text, so confidences are
compared with what is usual for their length.

Source: calibrated first-step confidence, "CAL", and its constants, which were fitted to models of
mask noise. For uniform noise, averaging over several draws of noise is ours, and the constants have
not been fitted again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from midfill.inference.length_bias import LengthBias
from midfill.inference.uniform.canvas import UniformCanvas

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch import Generator, Tensor

    from midfill.inference.uniform.bans import Bans
    from midfill.inference.uniform.interface import CanvasModel

DRAWS = 3
"""Of noise, for each length."""

EACH_UP_TO = 32
"""Shorter lengths are all tried at once; of longer ones, some, and then those around the best."""


USUAL = LengthBias()
"""With the published constants."""


@dataclass(frozen=True, slots=True)
class FoundLength:
    """What a search came to.

    Attributes:
        length: free slots.
        passes: forward passes that it took.
    """

    length: int
    passes: int


def search_length(
    model: CanvasModel,
    known: Sequence[int],
    most: int,
    generator: Generator,
    bans: Bans | None = None,
    usual: Callable[[int], float] = USUAL,
) -> FoundLength:
    """The number of free slots whose first-step confidence is highest for its length.

    Two rounds, each with all its lengths in one batch: the first over the whole range, the second
    over the lengths next to the best.

    Args:
        model: sees the canvas behind its context.
        known: tokens right behind the hole, at least one.
        most: slots at most, ≥ 1.
        generator: of the noise, on the model's device.
        bans: what free slots may not become.
        usual: the confidence that is usual for a length.
    """
    noise = torch.randint(model.vocabulary, (DRAWS, most), generator=generator, device=model.device)
    scores: dict[int, float] = {}
    best, passes, lengths = 1, 0, coarse_lengths(most)
    while lengths:
        found = first_step_confidences(model, known, lengths, noise, bans)
        scores |= {n: found[n] / usual(n) for n in lengths}
        best = max(scores, key=lambda n: (scores[n], -n))
        passes += DRAWS
        lengths = _between_neighbours(best, scores)
    return FoundLength(best, passes)


def coarse_lengths(most: int) -> list[int]:
    """The lengths of the first round: each step a quarter longer, ``most`` included."""
    lengths = [1]
    while lengths[-1] < most:
        step = 1 if lengths[-1] < EACH_UP_TO else lengths[-1] // 4
        lengths.append(min(most, lengths[-1] + step))
    return lengths


def first_step_confidences(
    model: CanvasModel,
    known: Sequence[int],
    lengths: Sequence[int],
    noise: Tensor,
    bans: Bans | None = None,
) -> dict[int, float]:
    """For each length, the mean over free slots and draws of the most probable token's probability.

    All lengths of a draw begin with the same noise, so that they differ in their length and not in
    their luck.

    Args:
        model: sees the canvas behind its context.
        known: tokens right behind the hole.
        lengths: to be tried, in one batch.
        noise: (draws, slots) long, as many slots as the longest length has at least.
        bans: what free slots may not become.
    """
    canvas = UniformCanvas.before(lengths, known, model.device)
    counts = canvas.free_counts
    totals = [0.0] * len(lengths)
    for draw in noise:
        ids = canvas.filled(torch.cat([draw[:n] for n in lengths]))
        logits = model.predict(canvas, ids, None)
        if bans is not None:
            logits = bans.apply(logits, counts)
        surest = (logits.amax(-1) - logits.logsumexp(-1)).exp()
        for row, confidences in enumerate(torch.split(surest, counts)):
            totals[row] += float(confidences.mean())
    return {n: total / len(noise) for n, total in zip(lengths, totals, strict=True)}


def _between_neighbours(best: int, tried: dict[int, float]) -> list[int]:
    """The lengths not tried yet between the best one and the tried ones next to it."""
    below = max((n for n in tried if n < best), default=best)
    above = min((n for n in tried if n > best), default=best)
    return [n for n in range(below + 1, above) if n not in tried]
