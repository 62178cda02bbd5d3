"""The denoising loop over a canvas in place: predict the masked slots, accept some, go on.

Absorbing noise: a slot is masked until it is accepted, and keeps its token from then on, unless
the way to the right length removes it.

Source: LLaDA, arXiv 2502.09992; parallel acceptance by a threshold, Fast-dLLM, arXiv 2505.22618.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from midfill.inference.errors import MidfillError
from midfill.inference.in_place.canvas import Accepted, HoleCanvas, current_block
from midfill.inference.samplers.measures import log_probabilities
from midfill.inference.samplers.sampler import SlotPredictions
from midfill.kernels.unmask import NO_TOKEN
from midfill.kernels.unmask import unmask as unmasked

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

    from midfill.inference.in_place.choosing_slots import SlotChooser
    from midfill.inference.in_place.edges import Edges
    from midfill.inference.in_place.lengths.control import LengthControl
    from midfill.inference.in_place.model import InPlaceModel
    from midfill.inference.models.options import Caching
    from midfill.inference.models.token_ends import TokenEnds
    from midfill.inference.samplers.sampler import Sampler


STALE_FROM = 0.5
"""The part of its slots that a canvas may gain or lose before everything is computed anew.

Until then keys of the text behind it are moved; they know the hole as it was. So a hole that grows
to n times its length costs about ln n / ln 1.5 full passes besides the first, not one a step."""


@dataclass(frozen=True, slots=True)
class Rules:
    """How slots are filled.

    Attributes:
        sampler: says which slots to accept.
        chooser: picks each slot's token.
        length: changes the number of slots.
        banned: tokens that no slot may hold, (banned,) long.
        edges, ends: what the first and the last slot have to spell, and which tokens do.
        caching: what is kept between the steps of a block.
        block: slots of a block, or all.
        steps: at most; the last one accepts whatever is left.
        most: slots at most.
        ahead: masks left in a block with which the next one is begun along.
    """

    sampler: Sampler
    chooser: SlotChooser
    length: LengthControl
    banned: Tensor
    edges: Edges
    ends: TokenEnds
    caching: Caching
    block: int | None
    steps: int
    most: int
    ahead: int = 0


@dataclass(frozen=True, slots=True)
class UnmaskingStep:
    """What one forward pass settled.

    Attributes:
        canvas: after it.
        draft: the same with the model's best guess in every slot that it predicted and that is
            still masked.
    """

    canvas: HoleCanvas
    draft: HoleCanvas


def unmask(model: InPlaceModel, canvas: HoleCanvas, rules: Rules) -> Iterator[UnmaskingStep]:
    """Denoise a canvas until no slot is masked.

    Args:
        model: the model.
        canvas: all masked, or in part.
        rules: how.

    Yields:
        A step after each forward pass; the last one's canvas is settled.

    Raises:
        MidfillError: the model predicts NaN.
    """
    begun, fresh_length, changed = -1, 0, True
    for number in range(1, rules.steps + 1):
        if canvas.settled:
            return
        last = number == rules.steps
        now = range(len(canvas.slots)) if last else current_block(canvas, rules.block, rules.ahead)
        another = now.start != begun or (last and rules.block is not None)
        refresh = changed or another or _outgrown(len(canvas.slots), fresh_length)
        logits = model.predict(canvas, now, rules.caching, refresh=refresh)
        begun, fresh_length = now.start, len(canvas.slots) if refresh else fresh_length
        masked = [index for index in canvas.masked_slots if index in now]
        # In the last step nothing may expand any more.
        most = len(canvas.slots) if last else rules.most
        guesses, taken = decided(canvas, masked, logits, rules, most, everything=last)
        filled = canvas.accept({index: guesses[index] for index in taken})
        adjusted = rules.length.adjust(filled, masked, most)
        # Only slots of the block come and go; what is behind it moves, and is kept.
        resized = len(adjusted.slots) != len(filled.slots)
        changed = not resized and adjusted.slots != filled.slots
        yield UnmaskingStep(adjusted, draft=canvas.accept(guesses))
        canvas = adjusted


def _outgrown(slots: int, fresh: int) -> bool:
    """Whether a canvas has become so much longer or shorter that its surroundings are out of date.

    Args:
        slots: now.
        fresh: when everything was last computed.
    """
    return abs(slots - fresh) > STALE_FROM * fresh


def decided(
    canvas: HoleCanvas,
    masked: list[int],
    logits: Tensor,
    rules: Rules,
    most: int,
    *,
    everything: bool,
) -> tuple[dict[int, Accepted], list[int]]:
    """The token of each masked slot of the block, and the slots that are accepted.

    Args:
        canvas: as it was predicted.
        masked: its slots that were.
        logits: (masked, vocab).
        rules: how slots are filled.
        most: slots that there may be from now on.
        everything: whether all of them are accepted.

    Raises:
        MidfillError: the model predicts NaN.
    """
    allowed = _allowed(canvas, masked, logits, rules, most)
    found = unmasked(allowed)
    if bool((found.tokens == NO_TOKEN).any()):
        raise MidfillError(
            "the model's predictions are no numbers (NaN): its weights are damaged, or too small "
            "a number format; try the model option weights=float32"
        )
    shaped = rules.chooser.shaped(allowed)
    found_shaped = found if shaped is allowed else unmasked(shaped)
    chosen = rules.chooser.choose(shaped, found_shaped.tokens)
    every = torch.ones(len(masked), dtype=torch.bool, device=logits.device)
    held = torch.full_like(chosen, -1)
    predictions = SlotPredictions(held, chosen, shaped, every, found_shaped)
    accept = every if everything else rules.sampler(predictions)
    plain = log_probabilities(allowed, chosen, found)
    choices = zip(masked, chosen.tolist(), plain.tolist(), strict=True)
    guesses = {index: Accepted(token, value) for index, token, value in choices}
    taken = [index for index, wanted in zip(masked, accept.tolist(), strict=True) if wanted]
    return guesses, taken


def _allowed(
    canvas: HoleCanvas, masked: list[int], logits: Tensor, rules: Rules, most: int
) -> Tensor:
    """The logits with -inf for every token that a slot may not hold, (masked, vocab)."""
    allowed = logits.clone()
    allowed[:, rules.banned.to(logits.device)] = -torch.inf
    forbidden = sorted(rules.length.forbidden(canvas, most))
    allowed[:, forbidden] = -torch.inf
    for slot, tokens in (
        (0, rules.ends.beginning_with(rules.edges.left) if rules.edges.left else None),
        (
            len(canvas.slots) - 1,
            rules.ends.ending_with(rules.edges.right) if rules.edges.right else None,
        ),
    ):
        if tokens is not None and slot in masked:
            row = masked.index(slot)
            only = torch.full_like(allowed[row], -torch.inf)
            tokens = tokens.to(logits.device)
            only[tokens] = allowed[row, tokens]
            if only.isfinite().any():
                allowed[row] = only
    return allowed
