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
        free_at: (free slots of all rows,) long, where they are, counted through all rows.
        free_counts: free slots of each row.
        known: pinned slots of each row.
    """

    pinned: Tensor
    free: Tensor
    present: Tensor
    free_at: Tensor
    free_counts: tuple[int, ...]
    known: int

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
        pinned.masked_scatter_(present & ~free, ids.repeat(len(lengths)))
        # Worked out here, where the lengths are known: asking a GPU for it would wait for it.
        at = [row * width + slot for row, length in enumerate(lengths) for slot in range(length)]
        free_at = torch.tensor(at, dtype=torch.long, device=device)
        return cls(pinned, free, present, free_at, tuple(lengths), len(known))

    @property
    def rows(self) -> int:
        return self.free.shape[0]

    @property
    def width(self) -> int:
        return self.free.shape[1]

    @property
    def is_padded(self) -> bool:
        return len(set(self.free_counts)) > 1

    def of_free(self, values: Tensor) -> Tensor:
        """What free slots have of the values of all slots.

        Args:
            values: (rows, width, …).

        Returns:
            (free slots of all rows, …), row by row.
        """
        return values.flatten(0, 1).index_select(0, self.free_at)

    def filled(self, free: Tensor) -> Tensor:
        """All slots' tokens, given those of the free ones.

        Args:
            free: (free slots of all rows,) long, row by row.

        Returns:
            (rows, width) long.
        """
        return self.pinned.masked_scatter(self.free, free)
