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
from itertools import takewhile
from typing import TYPE_CHECKING, Protocol

import torch

from midfill.inference.length_bias import LengthBias
from midfill.inference.uniform.canvas import UniformCanvas
from midfill.kernels.unmask import unmask

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from torch import Generator, Tensor

    from midfill.inference.uniform.bans import Bans

DRAWS = 3
"""Of noise, for each length."""

EACH_UP_TO = 32
"""Shorter lengths are all tried at once; of longer ones, some, and then those around the best."""

MOST_SLOTS = 2048
"""In one pass, padding included, unless a single length has more."""

MOST_LOGITS = 2**24
"""At once, unless a single length has more: 64 MiB, of which one figure a slot is kept."""

USUAL = LengthBias()
"""With the published constants."""


class SearchedModel(Protocol):
    """What the search needs of a model; see `midfill.inference.uniform.interface.CanvasModel`."""

    @property
    def vocabulary(self) -> int: ...

    @property
    def device(self) -> torch.device: ...

    def predict_in_parts(
        self, canvas: UniformCanvas, ids: Tensor, parts: Sequence[int]
    ) -> Iterator[Tensor]:
        """Predict the free slots of a canvas in its first step, a part of them after the other.

        Args:
            canvas: which slots are free, pinned and padding.
            ids: (rows, width) long, what the slots hold.
            parts: how many free slots each part has; together all of them, row by row.

        Yields:
            (slots of the part, vocab) float32, unnormalised; no longer needed when the next is
            asked for.
        """
        ...


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
    model: SearchedModel,
    known: Sequence[int],
    most: int,
    generator: Generator,
    bans: Bans | None = None,
    usual: Callable[[int], float] = USUAL,
    go_on: Callable[[], bool] = lambda: True,
) -> FoundLength:
    """The number of free slots whose first-step confidence is highest for its length.

    Two rounds: the first over the whole range, the second over the lengths next to the best.

    Args:
        model: sees the canvas behind its context.
        known: tokens right behind the hole, at least one.
        most: slots at most, ≥ 1.
        generator: of the noise, on the model's device.
        bans: what free slots may not become.
        usual: the confidence that is usual for a length.
        go_on: asked before each pass; where there is no time for it, the best length so far is
            taken, 1 if none has been tried. May raise.
    """
    noise = torch.randint(model.vocabulary, (DRAWS, most), generator=generator, device=model.device)
    scores: dict[int, float] = {}
    best, passes, lengths = 1, 0, coarse_lengths(most)
    while lengths:
        for batch in batches_of(lengths, len(known)):
            found = [
                first_step_confidences(model, known, batch, draw, bans)
                for draw in takewhile(lambda _: go_on(), noise)
            ]
            passes += len(found)
            if found:
                means = torch.stack(found).mean(0).tolist()
                scores |= {n: mean / usual(n) for n, mean in zip(batch, means, strict=True)}
                best = max(scores, key=lambda n: (scores[n], -n))
            if len(found) < DRAWS:
                return FoundLength(best, passes)
        lengths = _between_neighbours(best, scores)
    return FoundLength(best, passes)


def coarse_lengths(most: int) -> list[int]:
    """The lengths of the first round: each step a quarter longer, ``most`` included."""
    lengths = [1]
    while lengths[-1] < most:
        step = 1 if lengths[-1] < EACH_UP_TO else lengths[-1] // 4
        lengths.append(min(most, lengths[-1] + step))
    return lengths


def batches_of(lengths: Sequence[int], known: int) -> list[list[int]]:
    """Lengths that are tried in one pass each.

    Args:
        lengths: rising.
        known: tokens pinned behind each.
    """
    batches: list[list[int]] = []
    for length in lengths:
        if not batches or (len(batches[-1]) + 1) * (length + known) > MOST_SLOTS:
            batches.append([])
        batches[-1].append(length)
    return batches


def first_step_confidences(
    model: SearchedModel,
    known: Sequence[int],
    lengths: Sequence[int],
    noise: Tensor,
    bans: Bans | None = None,
) -> Tensor:
    """(lengths,) float32, the mean over free slots of the most probable token's probability.

    All lengths begin with the same noise, so that they differ in their length and not in their
    luck.

    Args:
        model: sees the canvas behind its context.
        known: tokens right behind the hole.
        lengths: to be tried, in one pass.
        noise: (slots,) long, as many as the longest length has at least.
        bans: what free slots may not become.
    """
    canvas = UniformCanvas.before(lengths, known, model.device)
    ids = canvas.filled(torch.cat([noise[:n] for n in lengths]))
    parts = _parts_of(lengths, MOST_LOGITS // model.vocabulary)
    predicted = model.predict_in_parts(canvas, ids, [sum(part) for part in parts])
    means: list[Tensor] = []
    for part, logits in zip(parts, predicted, strict=True):
        allowed = logits if bans is None else bans.apply(logits, part)
        surest = unmask(allowed).probabilities
        means += [row.mean() for row in torch.split(surest, part)]
    return torch.stack(means)


def _parts_of(lengths: Sequence[int], most: int) -> list[list[int]]:
    """Runs of lengths, each with no more slots in all than ``most``, but at least one length."""
    parts: list[list[int]] = []
    for length in lengths:
        if not parts or sum(parts[-1]) + length > most:
            parts.append([])
        parts[-1].append(length)
    return parts


def _between_neighbours(best: int, tried: dict[int, float]) -> list[int]:
    """The lengths not tried yet between the best one and the tried ones next to it."""
    below = max((n for n in tried if n < best), default=best)
    above = min((n for n in tried if n > best), default=best)
    return [n for n in range(below + 1, above) if n not in tried]
