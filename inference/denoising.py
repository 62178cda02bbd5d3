"""The denoising loop of guess, verify, accept.

Each step is one forward pass. It verifies the guesses of the step before and, in groups of masks
behind every number of guesses that could turn out right, makes the next ones. The accepted guesses
and the model's own next token behind them are certain; the guesses of the matching group are what
the next step verifies.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from midfill.inference.canvas import first_canvas, verifying_canvas
from midfill.inference.samplers.sampler import SlotPredictions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from torch import Tensor

    from midfill.inference.choosing import Chooser
    from midfill.inference.context_cache import ContextCache
    from midfill.inference.healing import Healing
    from midfill.inference.models.interface import CanvasPredictions, DenoisingModel
    from midfill.inference.samplers.sampler import Sampler

    EndChances = Callable[[CanvasPredictions], tuple[float, ...]]
    """The chances that the middle ends before the token behind each known slot that is read."""

    Finder = Callable[[Sequence[int], Sequence[int]], Sequence[int]]
    """Given newly certain tokens and guesses behind them: what may follow these."""


@dataclass(frozen=True, slots=True)
class Step:
    """What one forward pass settled.

    Attributes:
        tokens: newly certain tokens, at least one.
        log_probabilities: the model's for each of them, in nats.
        guesses: tokens guessed behind them.
        end_chances: that the middle ends before each of the tokens; none where nobody asked.
        found: tokens that were looked up and are verified behind the guesses.
    """

    tokens: tuple[int, ...]
    log_probabilities: tuple[float, ...]
    guesses: tuple[int, ...]
    end_chances: tuple[float, ...] = ()
    found: tuple[int, ...] = ()


def denoise(
    model: DenoisingModel,
    cache: ContextCache,
    uncached: Sequence[int],
    *,
    sampler: Sampler,
    choose: Chooser,
    healing: Healing,
    masks: int,
    believed: Sequence[int] = (),
    end_chances: EndChances | None = None,
    find: Finder | None = None,
) -> Iterator[Step]:
    """Denoise the middle step by step, without end: whoever iterates decides when to stop.

    Args:
        model: the model.
        cache: what is encoded of the context; accepted tokens are appended to it.
        uncached: the context's last tokens, not in the cache yet; at least one.
        sampler: accepts guesses.
        choose: picks tokens from logits.
        healing: what the first tokens have to spell.
        masks: guesses made at each step.
        believed: tokens that may well follow the context, such as the rest of the last suggestion
            that somebody is typing through. They are the first guesses, so they change how many
            steps it takes and nothing else.
        end_chances: tells how likely the middle ends before each token, where that is wanted.
        find: looks up what may follow the guesses; it changes how many steps it takes, no more.

    Yields:
        A `Step` after each forward pass.
    """
    canvas = first_canvas(uncached, masks, believed)
    held = tuple(believed)
    place = 0
    while True:
        predictions = model.denoise(canvas, cache)
        accepted, tokens, log_probabilities = _verify(
            predictions.logits, held, place, sampler, choose, healing
        )
        last_certain = canvas.layout.first_read + accepted
        model.keep(canvas, last_certain + 1, cache)
        guesses = model.guess(canvas, predictions, last_certain, tokens[-1])
        ends = () if end_chances is None else end_chances(predictions)[: len(tokens)]
        found = () if find is None else tuple(find(tokens, guesses))
        yield Step(tokens, log_probabilities, guesses, ends, found)
        for token in tokens:
            healing = healing.after(token)
        place += len(tokens)
        held = (*guesses, *found)
        canvas = verifying_canvas(tokens[-1], guesses, masks, found)


def _verify(
    logits: Tensor,
    held: tuple[int, ...],
    place: int,
    sampler: Sampler,
    choose: Chooser,
    healing: Healing,
) -> tuple[int, tuple[int, ...], tuple[float, ...]]:
    """How many held guesses are accepted; they and the next token; their log-probabilities.

    Args:
        logits: (guesses + 1, vocab), the predictions behind the certain token and each guess.
        held: the guesses.
        place: of the first of them in the middle.
    """
    if healing.owed:
        logits = _constrained(logits, held, healing)
    chosen = choose(logits, place)
    accept = sampler(
        SlotPredictions(
            held=torch.tensor(held, dtype=torch.long, device=chosen.device),
            chosen=chosen[:-1],
            logits=logits[:-1],
            free=torch.ones(len(held), dtype=torch.bool, device=chosen.device),
        )
    )
    # Only what follows the context without a gap can be kept behind it.
    accepted = int(accept.long().cumprod(0).sum())
    certain = chosen[: accepted + 1]
    log_probabilities = torch.log_softmax(logits[: accepted + 1], dim=-1)
    return (
        accepted,
        tuple(certain.tolist()),
        tuple(log_probabilities.gather(-1, certain[:, None]).squeeze(-1).tolist()),
    )


def _constrained(logits: Tensor, held: tuple[int, ...], healing: Healing) -> Tensor:
    """Row ``i`` constrained to what is owed once the first ``i`` guesses are written."""
    rows = []
    for i, row in enumerate(logits):
        rows.append(healing.constrain(row))
        if i < len(held):
            healing = healing.after(held[i])
    return torch.stack(rows)
