"""A middle that ends where the model puts an end token; the slots behind it are spent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from midfill.inference.in_place.canvas import Accepted
from midfill.inference.in_place.lengths.control import clamped

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from midfill.inference.in_place.canvas import HoleCanvas
    from midfill.inference.in_place.lengths.control import LengthScore


@dataclass(frozen=True, slots=True)
class EndOfMiddle:
    """Begins with room to spare; once a slot holds an end token, so does every slot behind it.

    The end tokens stay on the canvas, as in training, where the tail of a middle is padded with
    them. The slots before the first one go on as they are.

    Attributes:
        end: the token that the tail is filled with.
        slots: how many to begin with; None takes as many as there may be.
        unwanted: other control tokens of the model.
    """

    end: int
    slots: int | None = None
    unwanted: frozenset[int] = frozenset()

    @property
    def control_tokens(self) -> Collection[int]:
        return self.unwanted | {self.end}

    @property
    def varies(self) -> bool:
        return False

    def begin(self, score: LengthScore, least: int, most: int) -> int:
        return most if self.slots is None else clamped(self.slots, least, most)

    def begin_with(
        self, believed: Sequence[int], least: int, most: int
    ) -> Sequence[int | None] | None:
        spent = self.begin(lambda _: (), least, most) - len(believed)
        return [*believed, *[self.end] * spent] if spent >= 0 else None

    def forbidden(self, canvas: HoleCanvas, most: int) -> Collection[int]:
        return self.unwanted

    def adjust(self, canvas: HoleCanvas, opened: Sequence[int], most: int) -> HoleCanvas:
        ends = [
            index
            for index, slot in enumerate(canvas.slots)
            if slot is not None and slot.token == self.end
        ]
        if not ends:
            return canvas
        tail = Accepted(self.end, 0.0)
        return canvas.accept(
            {
                index: tail
                for index in range(ends[0], len(canvas.slots))
                if (slot := canvas.slots[index]) is None or slot.token != self.end
            }
        )
