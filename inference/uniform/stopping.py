"""When a canvas of uniform noise is done: nothing changes any more, and the model is sure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor


@dataclass(slots=True)
class StableAndConfident:
    """Counts, for each row of a canvas, how long its most probable tokens have stayed the same.

    Attributes:
        stability: steps before this one that must have had the same most probable tokens.
        confidence: nats; the mean entropy of a row's free slots has to be below it.

    Source: DiffusionGemma's published stopping rule, 1 and 0.005; there the mean runs over all
    slots, since none is pinned.
    """

    stability: int = 1
    confidence: float = 0.005
    _unchanged: list[int] = field(default_factory=list)
    _last: list[Tensor] = field(default_factory=list)

    def fresh(self) -> StableAndConfident:
        """The same rule for another canvas, with nothing seen yet."""
        return StableAndConfident(self.stability, self.confidence)

    def __call__(self, best: Sequence[Tensor], entropy: Sequence[Tensor]) -> Tensor:
        """Take one more step into account.

        Args:
            best: for each row (slots,) long, the most probable token of each free slot.
            entropy: for each row (slots,) float32, of the distributions that were sampled from.

        Returns:
            (rows,) bool on the CPU, whether a row is done. A row without free slots is.
        """
        sure = [row.mean() < self.confidence for row in entropy]
        same = [(now == before).all() for now, before in zip(best, self._last, strict=False)]
        # Both at once: each look at a GPU's memory waits for all that was asked of it.
        flags = torch.stack([*sure, *same]).tolist()
        if same:
            self._unchanged = [
                unchanged + 1 if unchanging else 0
                for unchanged, unchanging in zip(self._unchanged, flags[len(sure) :], strict=True)
            ]
        else:
            self._unchanged = [0] * len(best)
        self._last = list(best)
        return torch.tensor(
            [
                not len(row) or (unchanged >= self.stability and confident)
                for unchanged, row, confident in zip(
                    self._unchanged, entropy, flags[: len(sure)], strict=True
                )
            ]
        )
