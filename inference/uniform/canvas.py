"""A canvas of uniform noise: free slots hold random tokens, pinned slots hold known text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor


@dataclass(frozen=True, slots=True)
class UniformCanvas:
    """One or several rows of slots behind the same context; shorter rows are padded.

    Attributes:
        pinned: (rows, width) long, what pinned slots hold; 0 elsewhere.
        free: (rows, width) bool, the slots to be written.
        present: (rows, width) bool, the slots that are no padding.
    """

    pinned: Tensor
    free: Tensor
    present: Tensor

    @classmethod
    def blank(cls, width: int, device: torch.device) -> UniformCanvas:
        """One row with nothing but free slots."""
        return cls.before([width], (), device)

    @classmethod
    def before(
        cls, lengths: Sequence[int], known: Sequence[int], device: torch.device
    ) -> UniformCanvas:
        """Rows of so many free slots, each with the same known tokens right behind them.

        Args:
            lengths: free slots of each row; at least one row.
            known: token ids to be pinned.
            device: where the tensors are.
        """
        width = max(lengths) + len(known)
        slots = torch.arange(width, device=device)
        starts = torch.tensor(list(lengths), device=device)[:, None]
        free = slots < starts
        present = slots < starts + len(known)
        ids = torch.tensor(list(known), dtype=torch.long, device=device)
        pinned = torch.zeros(len(lengths), width, dtype=torch.long, device=device)
        pinned[present & ~free] = ids.repeat(len(lengths))
        return cls(pinned, free, present)

    @property
    def rows(self) -> int:
        return self.free.shape[0]

    @property
    def width(self) -> int:
        return self.free.shape[1]

    @property
    def is_padded(self) -> bool:
        return not bool(self.present.all())

    @property
    def free_counts(self) -> list[int]:
        """Free slots of each row."""
        counts: list[int] = self.free.sum(-1).tolist()
        return counts

    def filled(self, free: Tensor) -> Tensor:
        """All slots' tokens, given those of the free ones.

        Args:
            free: (free slots of all rows,) long, row by row.

        Returns:
            (rows, width) long.
        """
        return self.pinned.masked_scatter(self.free, free)
