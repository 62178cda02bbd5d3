"""How a middle comes to its right length: one interface over all ways."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from midfill.inference.in_place.canvas import HoleCanvas

    LengthScore = Callable[[Sequence[int]], Sequence[float]]
    """The mean over the slots of the largest probability when all are masked, for each length; all
    lengths are scored in one forward pass."""


class TimeIsUp(Exception):
    """Raised by a `LengthScore`: no more lengths can be scored before the deadline."""


class LengthControl(Protocol):
    """Decides how many slots a canvas begins with, and changes their number on the way."""

    @property
    def control_tokens(self) -> Collection[int]:
        """Tokens that say something about the length and never stand for text."""
        ...

    @property
    def varies(self) -> bool:
        """Whether slots come and go between steps."""
        ...

    def begin(self, score: LengthScore, least: int, most: int) -> int:
        """How many slots to begin with.

        Args:
            score: asked only by ways that search.
            least: slots that are needed in any case, ≥ 1.
            most: slots that there may be, ≥ ``least``.
        """
        ...

    def begin_with(
        self, believed: Sequence[int], least: int, most: int
    ) -> Sequence[int | None] | None:
        """What the slots begin with where a middle is believed, instead of `begin`.

        Args:
            believed: its tokens, at least one.
            least, most: as `begin`'s.

        Returns:
            A token for each slot; None where it is masked. None instead of all of them where the
            middle does not fit.
        """
        ...

    def forbidden(self, canvas: HoleCanvas, most: int) -> Collection[int]:
        """Control tokens that no slot may take in this step."""
        ...

    def adjust(self, canvas: HoleCanvas, opened: Sequence[int], most: int) -> HoleCanvas:
        """The canvas after what the control tokens among the new ones say.

        Args:
            canvas: after a step.
            opened: the slots that were masked before that step, rising.
            most: slots that there may be.
        """
        ...


def clamped(length: int, least: int, most: int) -> int:
    """The nearest length that is allowed."""
    return max(least, min(length, most))
