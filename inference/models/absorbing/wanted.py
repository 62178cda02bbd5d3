"""What the fills of a bidirectional model want computed, along with what other fills want."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, cast

import torch

from midfill.inference.models.absorbing.passes import ROW_STEP, ROWS_TOGETHER
from midfill.inference.shared_steps import Kind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from midfill.inference.models.absorbing.passes import Passes, SlotPass, TextPass
    from midfill.inference.shared_steps import Wanted


class WantedText(Protocol):
    """Something `Wanted` that takes a pass over whole texts.

    Such a pass takes as long as several steps, so that it counts as a piece of a context.
    """

    @property
    def text(self) -> TextPass: ...

    def of_states(self, states: Tensor) -> object:
        """Its outcome, given the states of all positions, (texts, longest, width)."""
        ...


@dataclass(frozen=True, slots=True)
class States:
    """States of all positions of whole texts, (texts, longest, width); no keys are held."""

    passes: Passes
    text: TextPass

    kind = Kind.CONTEXT

    def joins(self, others: Sequence[Wanted]) -> bool:
        return _fit([self, *cast("Sequence[WantedText]", others)])

    @torch.inference_mode()
    def together(self, others: Sequence[Wanted]) -> list[object]:
        return _texts_together(self.passes, [self, *cast("Sequence[WantedText]", others)])

    def of_states(self, states: Tensor) -> object:
        return states


@dataclass(slots=True)
class Prediction:
    """Logits of a canvas's slots, (slots, vocab) float32.

    Whether some positions do is known only when its turn comes: where memory has run out meanwhile,
    nothing is held any more and the whole text is computed anew.

    Attributes:
        passes: compute it.
        text: the whole text.
        rows: of the text in which the slots are predicted.
        part: the positions that do, if what is held may be used.
        was_whole: once it is computed, whether the whole text was.
    """

    passes: Passes
    text: TextPass
    rows: Sequence[int]
    part: SlotPass | None
    was_whole: bool = False

    @property
    def kind(self) -> Kind:
        return Kind.CONTEXT if self._usable_part is None else Kind.STEP

    def joins(self, others: Sequence[Wanted]) -> bool:
        if self._usable_part is None:
            return _fit([self, *cast("Sequence[WantedText]", others)])
        parts = _parts([self, *cast("Sequence[Prediction]", others)])
        return self.passes.rows_of(parts) <= ROWS_TOGETHER

    @torch.inference_mode()
    def together(self, others: Sequence[Wanted]) -> list[object]:
        if (part := self._usable_part) is None:
            if others:
                texts = [self, *cast("Sequence[WantedText]", others)]
                return _texts_together(self.passes, texts)
            return [self.of_states(self.passes.text(self.text.texts[0], self.text.keys)[None])]
        if others:
            return [*self.passes.several(_parts([self, *cast("Sequence[Prediction]", others)]))]
        return [self.passes.slots(part)]

    def of_states(self, states: Tensor) -> object:
        self.was_whole = True
        return self.passes.head(states[0], self.rows)

    @property
    def _usable_part(self) -> SlotPass | None:
        part = self.part
        if part is None or len(part.tokens) + ROW_STEP > part.keys.capacity:
            return None
        return part


def _parts(predictions: Sequence[Prediction]) -> list[SlotPass]:
    return [one.part for one in predictions if one.part is not None]


def _fit(wanted: Sequence[WantedText]) -> bool:
    """Whether whole texts are few and short enough for one pass."""
    rows = sum(len(one.text.texts) for one in wanted)
    return rows * max(one.text.longest for one in wanted) <= ROWS_TOGETHER


def _texts_together(passes: Passes, wanted: Sequence[WantedText]) -> list[object]:
    states = passes.texts([one.text for one in wanted])
    return [one.of_states(own) for one, own in zip(wanted, states, strict=True)]
