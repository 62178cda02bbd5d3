"""What a model of uniform noise must offer so that the denoising loop can drive it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from midfill.inference.uniform.canvas import UniformCanvas


class CanvasModel(Protocol):
    """A model that sees a canvas behind a context, all slots at once.

    What it believed of the slots in the step before is given back to it: self-conditioning.
    """

    @property
    def vocabulary(self) -> int:
        """Noise is drawn from the ids below it."""
        ...

    @property
    def device(self) -> torch.device: ...

    def predict(self, canvas: UniformCanvas, ids: Tensor, belief: Tensor | None) -> Tensor:
        """Predict the free slots.

        Args:
            canvas: which slots are free, pinned and padding.
            ids: (rows, width) long, what the slots hold now.
            belief: of the step before; None in the first step.

        Returns:
            (free slots of all rows, vocab) float32, unnormalised, row by row.
        """
        ...

    def believe(self, canvas: UniformCanvas, logits: Tensor) -> Tensor:
        """What to remember of a step: what each slot is believed to hold.

        Pinned slots are known for certain.

        Args:
            canvas: the one that was predicted.
            logits: (free slots of all rows, vocab) float32, those that were sampled from.

        Returns:
            (rows, width, …), for `predict` to be given.
        """
        ...
