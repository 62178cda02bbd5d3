"""The keys and values of all holes that are being filled, a place for each of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

    from midfill.inference.models.absorbing.hole_keys import HoleKeys


class KeyBuffers:
    """For each layer (places, heads, capacity, head size) keys and as many values.

    They keep their addresses for as long as they are large enough, so that captured graphs may
    refer to them, and the graphs of one place to no other. Where they grow, what is held is copied.
    Of the last position of every place nobody looks at the keys: rows that are there for the shape
    alone leave theirs there.

    Attributes:
        capacity: positions that each place has room for.
    """

    def __init__(self, layers: int) -> None:
        self._keys: list[Tensor | None] = [None] * layers
        self._values: list[Tensor | None] = [None] * layers
        self._holders: list[HoleKeys | None] = []
        self.capacity = 0

    @property
    def places(self) -> int:
        return len(self._holders)

    @property
    def nbytes(self) -> int:
        return sum(tensor.nbytes for tensor in (*self._keys, *self._values) if tensor is not None)

    def fit(self, keys: HoleKeys, capacity: int) -> bool:
        """Whether a hole can be given a place of so many positions without larger buffers."""
        has_place = keys.place is not None or None in self._holders
        return has_place and capacity <= self.capacity

    def hold(self, keys: HoleKeys, capacity: int) -> None:
        """Give a hole a place of at least so many positions, unless it has one.

        Where that takes larger buffers, graphs that refer to them have to be gone.
        """
        if keys.place is None:
            if None not in self._holders:
                self._holders += [None] * max(1, self.places)
            keys.place = self._holders.index(None)
            self._holders[keys.place] = keys
        self.capacity = max(self.capacity, capacity)
        try:
            for buffers in (self._keys, self._values):
                for layer, buffer in enumerate(buffers):
                    if buffer is not None:
                        buffers[layer] = self._grown(buffer)
        except BaseException:
            self.clear()  # some have grown and some have not
            raise

    def leave(self, place: int) -> None:
        """Let another hole have a place."""
        self._holders[place] = None

    def layer(self, number: int, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        """A layer's keys and values.

        Args:
            number: the layer's.
            key, value: (rows, heads, positions, head size), such as they are to hold.
        """
        keys = self._keys[number] = self._made(self._keys[number], key)
        values = self._values[number] = self._made(self._values[number], value)
        return keys, values

    def made(self) -> list[tuple[Tensor, Tensor]]:
        """The keys and values of those layers that have any."""
        pairs = zip(self._keys, self._values, strict=True)
        return [(keys, values) for keys, values in pairs if keys is not None and values is not None]

    def clear(self) -> None:
        """Give the buffers back; no hole holds anything any more."""
        for keys in self._holders:
            if keys is not None:
                keys.lose()
        self._holders = []
        self._keys = [None] * len(self._keys)
        self._values = [None] * len(self._values)
        self.capacity = 0

    def _made(self, buffer: Tensor | None, like: Tensor) -> Tensor:
        """What buffers hold behind a hole's length is finite, so that a mask can take it out."""
        if buffer is not None:
            return buffer
        _, heads, _, size = like.shape
        return like.new_zeros(self.places, heads, self.capacity, size)

    def _grown(self, buffer: Tensor) -> Tensor:
        places, heads, capacity, size = buffer.shape
        if (places, capacity) == (self.places, self.capacity):
            return buffer
        grown = buffer.new_zeros(self.places, heads, self.capacity, size)
        grown[:places, :, :capacity] = buffer
        return grown
