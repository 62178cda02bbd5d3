"""What a fully bidirectional model must offer so that holes can be unmasked in place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from midfill.inference.in_place.canvas import HoleCanvas
    from midfill.inference.models.options import Caching


class InPlaceModel(Protocol):
    """A model in which every position sees every other one."""

    @property
    def longest(self) -> int:
        """Positions at most."""
        ...

    def predict(
        self, canvas: HoleCanvas, block: range, caching: Caching, *, refresh: bool
    ) -> Tensor:
        """Predict the masked slots of a block.

        Args:
            canvas: the canvas.
            block: of its slots; all others are context, masked or not.
            caching: what may be taken from the last call that refreshed.
            refresh: whether everything is computed anew; needed for a new canvas, a new block, and
                whenever tokens outside the block have changed. Where the block has gained or lost
                slots, all behind it is taken from its old positions.

        Returns:
            (masked slots of the block, vocab) float32, in reading order.
        """
        ...

    def predict_each(self, canvases: Sequence[HoleCanvas]) -> list[Tensor]:
        """Predict the masked slots of several canvases of one length, in one forward pass.

        Everything is computed anew, and nothing of it is kept.

        Returns:
            For each canvas (masked slots, vocab) float32, in reading order.
        """
        ...

    def surety(
        self, prefix: Sequence[int], lengths: Sequence[int], suffix: Sequence[int]
    ) -> list[float]:
        """How sure the model is of an all-masked canvas of each length, in one forward pass.

        Returns:
            For each length the mean over its slots of the largest probability.
        """
        ...
