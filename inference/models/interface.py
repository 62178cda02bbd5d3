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
class CanvasLogits:
    """What one forward pass over a canvas predicts.

    Attributes:
        known: (read, vocab) float32; row ``i`` predicts the token behind known slot
            ``layout.first_read + i``.
        masks: (groups, masks, vocab) float32; mask ``j`` (from 0) of a group predicts the token
            ``j + 2`` places behind the known slot that the group stands behind.
    """

    known: Tensor
    masks: Tensor


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

    def denoise(self, canvas: Canvas, cache: ContextCache) -> CanvasLogits:
        """Predict the canvas's slots. The context is left as it is."""
        ...

    def keep(self, canvas: Canvas, count: int, cache: ContextCache) -> None:
        """Append the first ``count`` known slots of the canvas just denoised to the context."""
        ...
