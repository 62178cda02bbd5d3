"""What a model must offer so that the denoising loop can drive it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from midfill.inference.canvas import Canvas
    from midfill.inference.context_cache import ContextCache
    from midfill.inference.noise import Noise


@dataclass(frozen=True, slots=True)
class CanvasPredictions:
    """What one forward pass over a canvas predicts.

    Attributes:
        logits: (read, vocab) float32; row ``i`` predicts the token behind known slot
            ``layout.first_read + i``.
        known_states: (read, width), the states that these logits come from.
        mask_states: (groups, masks, width), those of the mask slots; mask ``j`` (from 0) of a group
            is about the token ``j + 2`` places behind the known slot that the group stands behind.
    """

    logits: Tensor
    known_states: Tensor
    mask_states: Tensor


class DenoisingModel(Protocol):
    """A model that predicts the slots of a canvas from the cached context before it."""

    @property
    def noise(self) -> Noise: ...

    @property
    def masks(self) -> int:
        """Mask slots that the model was taught to fill at once."""
        ...

    def new_cache(self, room: int) -> ContextCache:
        """An empty cache with room for ``room`` tokens."""
        ...

    def encode(self, tokens: Sequence[int], cache: ContextCache) -> None:
        """Append ``tokens`` to the context."""
        ...

    def denoise(self, canvas: Canvas, cache: ContextCache) -> CanvasPredictions:
        """Predict the canvas's slots. The context is left as it is."""
        ...

    def guess(
        self, canvas: Canvas, predictions: CanvasPredictions, known: int, certain: int
    ) -> tuple[int, ...]:
        """What the masks behind a known slot guess, given the token that is certain to follow it.

        Args:
            canvas: the canvas.
            predictions: what `denoise` made of it.
            known: the known slot.
            certain: the token behind it.

        Returns:
            The tokens behind the certain one; none if no group stands behind that slot.
        """
        ...

    def keep(self, canvas: Canvas, count: int, cache: ContextCache) -> None:
        """Append the first ``count`` known slots of the canvas just denoised to the context."""
        ...
