"""DreamOn: slots that turn into two, and slots that vanish."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from midfill.inference.in_place.lengths.control import clamped

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from midfill.inference.in_place.canvas import HoleCanvas
    from midfill.inference.in_place.lengths.control import LengthScore

START = 8
"""Slots to begin with. From 4 to 64 the published pass@1 differs by 3 points; fewer are faster."""


@dataclass(slots=True)
class ExpandDelete:
    """Begins small; the model's own expand and delete tokens change the number of slots.

    Counts the expansions of one fill, so each fill needs its own.

    After each step, over the slots that were masked before it:

    1. With ``broadcast``, every masked-before slot to the right of a delete becomes a delete too,
       for the model deletes a tail from its left end.
    2. Each delete is removed with its slot.
    3. Each expand, from right to left, is replaced by two masks.

    Expanding is forbidden while the canvas is as long as it may be, and once there have been as
    many expansions as there may be slots, so that it comes to an end.

    Attributes:
        expand, delete: the tokens.
        start: slots to begin with.
        broadcast: whether deletes spread to the right.
        unwanted: other control tokens of the model.

    Source: DreamOn, arXiv 2602.01326, and the decoding of its published evaluation.
    """

    expand: int
    delete: int
    start: int = START
    broadcast: bool = True
    unwanted: frozenset[int] = frozenset()
    _budget: int = field(default=0, init=False)

    @property
    def control_tokens(self) -> Collection[int]:
        return self.unwanted | {self.expand, self.delete}

    @property
    def varies(self) -> bool:
        return True

    def begin(self, score: LengthScore, least: int, most: int) -> int:
        self._budget = most
        return clamped(self.start, least, most)

    def begin_with(
        self, believed: Sequence[int], least: int, most: int
    ) -> Sequence[int | None] | None:
        self._budget = most
        return believed if least <= len(believed) <= most else None

    def forbidden(self, canvas: HoleCanvas, most: int) -> Collection[int]:
        full = len(canvas.slots) >= most or self._budget == 0
        return self.unwanted | ({self.expand} if full else frozenset())

    def adjust(self, canvas: HoleCanvas, opened: Sequence[int], most: int) -> HoleCanvas:
        slots = list(canvas.slots)
        deleted = {index for index in opened if self._holds(slots, index, self.delete)}
        if self.broadcast and deleted:
            deleted |= {index for index in opened if index > min(deleted)}
        expanded = {index for index in opened if self._holds(slots, index, self.expand)} - deleted
        room = min(self._budget, most - (len(slots) - len(deleted)))
        for index in sorted(deleted | expanded, reverse=True):
            if index in deleted:
                del slots[index]
            else:
                # Several may expand in one step; one that no longer fits is a plain mask again.
                slots[index : index + 1] = [None, None] if room > 0 else [None]
                self._budget -= room > 0
                room -= 1
        return replace(canvas, slots=tuple(slots))

    @staticmethod
    def _holds(slots: Sequence[object], index: int, token: int) -> bool:
        return getattr(slots[index], "token", None) == token
