"""Tokens that no free slot may become."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

BANNED = -1e4
"""The logit of a banned token: its probability is 0, and everything stays a number."""


@dataclass(frozen=True, slots=True)
class Bans:
    """What may not be written, and where.

    Attributes:
        everywhere: (vocab,) bool.
        first: (vocab,) bool, in the first slot of each row: it has to go on with a word that is cut
            off in front of it. None where it is as free as the others.
    """

    everywhere: Tensor
    first: Tensor | None = None

    def apply(self, logits: Tensor, counts: Sequence[int]) -> Tensor:
        """The logits without what is banned.

        Args:
            logits: (free slots of all rows, vocab) float32, row by row.
            counts: free slots of each row, none of them 0.

        Returns:
            (free slots of all rows, vocab) float32.
        """
        allowed = logits.masked_fill(self.everywhere, BANNED)
        if self.first is not None:
            firsts = [0, *accumulate(counts[:-1])]
            allowed[firsts] = allowed[firsts].masked_fill(self.first, BANNED)
        return allowed
