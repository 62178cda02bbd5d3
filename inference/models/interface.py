"""What a model must offer so that the denoising loop can drive it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

import torch

from midfill.kernels.permitted import restricted
from midfill.kernels.unmask import unmask

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from midfill.inference.canvas import Canvas
    from midfill.inference.context_cache import ContextCache
    from midfill.inference.noise import Noise
    from midfill.kernels.unmask import Unmasked


class OutputHead(Protocol):
    """What states say about tokens."""

    def logits(self, states: Tensor) -> Tensor:
        """(rows, vocabulary) float32, from normalised states."""
        ...

    def unmask(self, states: Tensor, permitted: Sequence[Tensor]) -> Unmasked:
        """`midfill.kernels.unmask` of these logits, `restricted` to what is permitted."""
        ...


@dataclass(frozen=True)
class CanvasPredictions:
    """What one forward pass over a canvas predicts.

    Row ``i`` predicts the token behind known slot ``layout.first_read + i``. The output head is
    gone through when it is first asked: logits of all tokens are written down for those only who
    want them.

    Attributes:
        known_states: (read, width), the states that these predictions come from.
        mask_states: (groups, masks, width), those of the mask slots; mask ``j`` (from 0) of a group
            is about the token ``j + 2`` places behind the known slot that the group stands behind.
        head: makes predictions of states.
    """

    known_states: Tensor
    mask_states: Tensor
    head: OutputHead

    @cached_property
    def logits(self) -> Tensor:
        """(read, vocab) float32."""
        with torch.inference_mode():
            return self.head.logits(self.known_states)

    def unmasked(self, permitted: Sequence[Tensor] = ()) -> Unmasked:
        """The best token of each row, its probability and the entropy.

        Args:
            permitted: of the first so many rows the tokens that may be taken; see `restricted`.
        """
        with torch.inference_mode():
            if "logits" in self.__dict__:  # there already, and the head is as long as a layer
                return unmask(restricted(self.logits, permitted))
            return self.head.unmask(self.known_states, permitted)


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


class ModelForSeveral(DenoisingModel, Protocol):
    """A model that can denoise several canvases in one pass."""

    def denoise_together(
        self, canvases: Sequence[Canvas], caches: Sequence[ContextCache]
    ) -> list[CanvasPredictions]:
        """`denoise` of each canvas, as if it were alone.

        Args:
            canvases: of different requests.
            caches: the context before each; no two are the same.
        """
        ...
