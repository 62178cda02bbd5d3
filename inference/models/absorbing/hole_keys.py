"""Keys and values of a bidirectional model, one place for every position of the window."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor


class HoleKeys:
    """Stands where `transformers` wants a cache, but is written in place rather than at its end.

    A forward pass over all positions fills it; one over some positions replaces just their keys and
    values, and attends to everybody's. The buffers keep their addresses for as long as they are
    large enough, so that captured graphs may refer to them.

    Attributes:
        length: positions that are in use.
    """

    def __init__(self, layers: int) -> None:
        self._keys: list[Tensor | None] = [None] * layers
        self._values: list[Tensor | None] = [None] * layers
        self._positions: Tensor | None = None
        self._capacity = 0
        self.length = 0

    @property
    def capacity(self) -> int:
        """Positions that there is room for."""
        return self._capacity

    @property
    def nbytes(self) -> int:
        return sum(tensor.nbytes for tensor in (*self._keys, *self._values) if tensor is not None)

    def begin(self, length: int, capacity: int) -> None:
        """Make ready for a pass over all of ``length`` positions, in buffers of ``capacity``.

        What buffers hold behind the length is finite, so that a mask can take it out.
        """
        if capacity > self._capacity:
            self.clear()
            self._capacity = capacity
        self.length, self._positions = length, None

    def only(self, positions: Tensor) -> None:
        """Make ready for a pass over some positions, (rows,) long."""
        self._positions = positions

    def clear(self) -> None:
        """Give the buffers back."""
        self._keys = [None] * len(self._keys)
        self._values = [None] * len(self._values)
        self._capacity = self.length = 0

    def update(
        self, key: Tensor, value: Tensor, layer: int, *_: object, **__: object
    ) -> tuple[Tensor, Tensor]:
        """Take in keys and values of the positions of the pass; called by the attention.

        Args:
            key, value: (1, heads, rows, head size).
            layer: which layer's they are.

        Returns:
            The keys and values to attend to: those of the pass if it is over all positions, else
            the buffers, (1, heads, capacity, head size).
        """
        keys = self._keys[layer] = self._buffer(self._keys[layer], key)
        values = self._values[layer] = self._buffer(self._values[layer], value)
        if self._positions is None:
            keys[:, :, : self.length] = key
            values[:, :, : self.length] = value
            return key, value
        keys.index_copy_(2, self._positions, key)
        values.index_copy_(2, self._positions, value)
        return keys, values

    def _buffer(self, buffer: Tensor | None, like: Tensor) -> Tensor:
        if buffer is not None:
            return buffer
        batch, heads, _, size = like.shape
        shape = (batch, heads, self._capacity, size)
        return torch.zeros(shape, dtype=like.dtype, device=like.device)
