"""Starting a canvas from what is believed instead of from masks.

Two halves of the believed slots, every other one, are masked in turn and predicted with the other
half in view. What the model would write there anyway is kept, the rest is masked again, and the
loop goes on from there.

A masked model says nothing about a slot that is not masked, and where all are masked it knows
nothing of the belief; so both halves are needed, and they are one forward pass.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from midfill.inference.in_place.canvas import Accepted, HoleCanvas
from midfill.inference.in_place.unmasking import decided

if TYPE_CHECKING:
    from collections.abc import Sequence

    from midfill.inference.in_place.model import InPlaceModel
    from midfill.inference.in_place.unmasking import Rules

LEAST_KEPT = 0.5
"""The part of the believed slots that has to be kept for a belief to be worth anything."""


def keep_what_holds(
    model: InPlaceModel,
    prefix: Sequence[int],
    believed: Sequence[int | None],
    suffix: Sequence[int],
    rules: Rules,
) -> HoleCanvas | None:
    """A canvas with those believed tokens that the model agrees with; one forward pass.

    A slot keeps its token if the model's choice for it is that token, the sampler would accept
    it, and neither slot beside it has failed: the model agreed with a token in view of those.

    Args:
        model: the model.
        prefix, suffix: token ids around the hole.
        believed: a token for each slot; None where nothing is believed. At least one is.
        rules: how slots are filled; greedily.

    Returns:
        None if less than half of what was believed is left; then it says little about the rest,
        and least of all about how long the middle is.

    Raises:
        MidfillError: the model predicts NaN.
    """
    slots = tuple(None if token is None else Accepted(token, 0.0) for token in believed)
    known = [index for index, slot in enumerate(slots) if slot is not None]
    halves = [half for half in (known[::2], known[1::2]) if half]
    canvases = [
        HoleCanvas(
            tuple(prefix),
            tuple(None if index in half else slot for index, slot in enumerate(slots)),
            tuple(suffix),
        )
        for half in halves
    ]
    agreed: dict[int, Accepted] = {}
    for canvas, half, logits in zip(canvases, halves, model.predict_each(canvases), strict=True):
        masked = list(canvas.masked_slots)
        choices, taken = decided(canvas, masked, logits, rules, rules.most, everything=False)
        agreed |= {
            index: choices[index]
            for index in taken
            if index in half and choices[index].token == believed[index]
        }
    failed = set(known) - set(agreed)
    kept = {
        index: slot
        for index, slot in agreed.items()
        if index - 1 not in failed and index + 1 not in failed
    }
    if len(kept) < LEAST_KEPT * len(known):
        return None
    canvas = HoleCanvas.masked(prefix, len(slots), suffix).accept(kept)
    return rules.length.adjust(canvas, (), rules.most)
