"""What the slots of a canvas in place say: the middle, or as much of it as there is."""

from __future__ import annotations

from itertools import takewhile
from typing import TYPE_CHECKING

from midfill.inference.fillers.finishing import Middle, starts_of
from midfill.inference.text.utf8 import whole_text
from midfill.inference.wire import Draft, Stop

if TYPE_CHECKING:
    from collections.abc import Sequence

    from midfill.inference.in_place.canvas import Accepted, HoleCanvas
    from midfill.inference.in_place.edges import Edges
    from midfill.inference.in_place.unmasking import UnmaskingStep
    from midfill.inference.models.absorbing.checkpoint import AbsorbingCheckpoint


class SlotText:
    """Reads canvases.

    Args:
        checkpoint: whose tokens they hold.
        edges: what the first and the last slot have to spell, which is no part of the middle.
    """

    def __init__(self, checkpoint: AbsorbingCheckpoint, edges: Edges) -> None:
        tokens = checkpoint.tokens
        self._vocabulary = checkpoint.tokenizer.vocabulary_bytes
        self._controls = (tokens.end, tokens.expand, tokens.delete)
        self._edges = edges

    def middle(self, canvas: HoleCanvas, stop: Stop, certain: Sequence[int]) -> Middle:
        """What a canvas comes to.

        Args:
            canvas: settled, or as good as.
            stop: why it is not denoised any further.
            certain: slots that each pass settled.
        """
        slots, whole = self._text_slots(canvas)
        if stop is Stop.FILLED and not whole:
            stop = Stop.END_TOKEN
        pieces = [self._vocabulary[slot.token] for slot in slots]
        inside = self._edges.inside(b"".join(pieces), whole=whole)
        text = whole_text(inside or b"")
        if inside is None:
            stop = Stop.REFUSED
        elif len(text.encode()) < len(inside) and stop is Stop.FILLED:
            stop = Stop.TOKEN_LIMIT  # bytes that are no character: what stands before them is left
        return Middle(
            text=text,
            stop=stop,
            tokens=len(slots),
            steps=len(certain),
            step_tokens=tuple(certain),
            log_probabilities=tuple(slot.log_probability for slot in slots),
            starts=starts_of(pieces, len(self._edges.left)),
        )

    def draft(self, step: UnmaskingStep, number: int) -> Draft:
        """The settled run at the canvas's start, and behind it what the other slots would hold."""
        text, drafted = self._so_far(step.canvas), self._so_far(step.draft)
        return Draft(
            text=text,
            guess=drafted.removeprefix(text) if drafted.startswith(text) else "",
            masked=len(step.canvas.masked_slots),
            step=number,
        )

    def settled(self, canvas: HoleCanvas) -> int:
        """How many slots hold text."""
        return sum(slot is not None and slot.token not in self._controls for slot in canvas.slots)

    def _so_far(self, canvas: HoleCanvas) -> str:
        slots, whole = self._text_slots(canvas)
        written = b"".join(self._vocabulary[slot.token] for slot in slots)
        return whole_text(self._edges.inside(written, whole=whole) or b"")

    def _text_slots(self, canvas: HoleCanvas) -> tuple[list[Accepted], bool]:
        """The slots up to the first that is masked or says something about the length.

        Returns:
            They, and whether they are all there are.
        """
        text = list(
            takewhile(
                lambda slot: slot is not None and slot.token not in self._controls, canvas.slots
            )
        )
        return [slot for slot in text if slot is not None], len(text) == len(canvas.slots)
