"""A middle of as many tokens as were asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from midfill.inference.in_place.lengths.control import clamped

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from midfill.inference.in_place.canvas import HoleCanvas
    from midfill.inference.in_place.lengths.control import LengthScore


@dataclass(frozen=True, slots=True)
class FixedLength:
    """Begins with a number of slots and fills each of them with text.

    Attributes:
        slots: how many; None takes as many as there may be.
        control_tokens: that the model has for lengths and that are not wanted here.
    """

    slots: int | None = None
    control_tokens: frozenset[int] = frozenset()

    @property
    def varies(self) -> bool:
        return False

    def begin(self, score: LengthScore, least: int, most: int) -> int:
        return most if self.slots is None else clamped(self.slots, least, most)

    def begin_with(
        self, believed: Sequence[int], least: int, most: int
    ) -> Sequence[int | None] | None:
        slots = self.begin(lambda _: (), least, most)
        masked = slots - len(believed)
        return [*believed, *[None] * masked] if masked >= 0 else None

    def forbidden(self, canvas: HoleCanvas, most: int) -> Collection[int]:
        return self.control_tokens

    def adjust(self, canvas: HoleCanvas, opened: Sequence[int], most: int) -> HoleCanvas:
        return canvas
