"""Keys and values of a bidirectional model, one place for every position of the window."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from midfill.kernels.rotary_shift import rotary_shift, shift_angles

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
        self._with_room = False
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

    def only(self, positions: Tensor, *, with_room: bool) -> None:
        """Make ready for a pass over some positions.

        Args:
            positions: (rows,) long.
            with_room: whether the pass is given the whole buffers, for its shapes to stay the same
                whatever the length.
        """
        self._positions, self._with_room = positions, with_room

    def move(self, start: int, delta: int, frequencies: Tensor) -> None:
        """Move what stands from ``start`` on to where it stands now, ``delta`` positions further.

        Keys are turned on instead of computed anew. In the first layer, which knows a token and its
        position and no more, they are those of a fresh pass. Above it they stay what they were,
        made in view of what stood around them then.

        Args:
            start: the first position that moves.
            delta: negative is towards the beginning; the room has to suffice.
            frequencies: (head size / 2,), of the rotary embedding.
        """
        old, new = slice(start, self.length), slice(start + delta, self.length + delta)
        self.length += delta
        angles = None
        for keys, values in zip(self._keys, self._values, strict=True):
            if keys is None or values is None or old.start >= old.stop:
                continue
            angles = angles or shift_angles(delta, frequencies, keys.device)
            keys[0, :, new] = rotary_shift(keys[0, :, old], angles)
            values[:, :, new] = values[:, :, old].clone()

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
            The keys and values to attend to, (1, heads, keys, head size): those of the pass if it
            is over all positions, else everybody's, with the room behind them where that was asked
            for.
        """
        keys = self._keys[layer] = self._buffer(self._keys[layer], key)
        values = self._values[layer] = self._buffer(self._values[layer], value)
        if self._positions is None:
            keys[:, :, : self.length] = key
            values[:, :, : self.length] = value
            return key, value
        keys.index_copy_(2, self._positions, key)
        values.index_copy_(2, self._positions, value)
        if self._with_room:
            return keys, values
        return keys[:, :, : self.length], values[:, :, : self.length]

    def _buffer(self, buffer: Tensor | None, like: Tensor) -> Tensor:
        if buffer is not None:
            return buffer
        batch, heads, _, size = like.shape
        shape = (batch, heads, self._capacity, size)
        return torch.zeros(shape, dtype=like.dtype, device=like.device)
