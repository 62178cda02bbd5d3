"""Keys and values of an encoded context, in one buffer that grows at its end."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor


@dataclass(slots=True)
class ContextCache:
    """The attention keys and values of ``tokens``, with room behind them.

    A canvas writes its own keys into the room; keeping accepted slots is then no more than counting
    them in, since they stand first.

    Attributes:
        keys, values: (layers, key_heads, capacity, head_size).
        tokens: the ids whose keys are held; ``len(tokens)`` ≤ capacity.
        believed: what is believed to follow them, and not encoded: the end of the last middle that
            was written here.
    """

    keys: Tensor
    values: Tensor
    tokens: list[int] = field(default_factory=list)
    believed: list[int] = field(default_factory=list)

    @classmethod
    def empty(
        cls,
        *,
        layers: int,
        key_heads: int,
        head_size: int,
        capacity: int,
        dtype: torch.dtype,
        device: torch.device,
    ) -> ContextCache:
        shape = (layers, key_heads, capacity, head_size)
        return cls(
            torch.empty(shape, dtype=dtype, device=device),
            torch.empty(shape, dtype=dtype, device=device),
        )

    def __len__(self) -> int:
        return len(self.tokens)

    @property
    def capacity(self) -> int:
        return self.keys.shape[2]

    @property
    def nbytes(self) -> int:
        return self.keys.nbytes + self.values.nbytes

    def reserve(self, room: int) -> None:
        """Make sure that ``room`` further slots fit; growing copies what is held."""
        needed = len(self) + room
        if needed <= self.capacity:
            return
        capacity = max(needed, self.capacity + self.capacity // 2)
        self.keys = self._resized(self.keys, capacity, len(self))
        self.values = self._resized(self.values, capacity, len(self))

    def crop(self, length: int) -> None:
        """Forget all but the first ``length`` tokens, and what was believed."""
        del self.tokens[length:]
        self.believed = []

    def believe(self, tokens: Sequence[int]) -> None:
        """Note what may well follow: what stands in ``tokens`` behind the held ones."""
        held = len(self)
        self.believed = list(tokens[held:]) if self.tokens == list(tokens[:held]) else []

    def fork(self, length: int) -> ContextCache:
        """A copy of the first ``length`` tokens with as much room as this one has."""
        return ContextCache(
            self._resized(self.keys, self.capacity, length),
            self._resized(self.values, self.capacity, length),
            self.tokens[:length],
        )

    @staticmethod
    def _resized(buffer: Tensor, capacity: int, kept: int) -> Tensor:
        layers, heads, _, size = buffer.shape
        resized = torch.empty(
            (layers, heads, capacity, size), dtype=buffer.dtype, device=buffer.device
        )
        resized[:, :, :kept] = buffer[:, :, :kept]
        return resized


def tokens_in_common(one: Sequence[int], other: Sequence[int]) -> int:
    """How many tokens both begin with."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((at for at, (a, b) in pairs if a != b), min(len(one), len(other)))
