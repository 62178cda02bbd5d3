"""Keys and values of a bidirectional model, one place for every position of the window."""

from __future__ import annotations

from typing import TYPE_CHECKING

from midfill.kernels.rotary_shift import rotary_shift, shift_angles

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from midfill.inference.models.absorbing.key_buffers import KeyBuffers


class HoleKeys:
    """Stands where `transformers` wants a cache, but is written in place rather than at its end.

    A forward pass over all positions fills it; one over some positions replaces just their keys and
    values, and attends to everybody's.

    Attributes:
        place: in the buffers; none before something is to be held, and once it is lost.
        length: positions that are in use.

    Args:
        buffers: have a place for each hole that is being filled.
    """

    def __init__(self, buffers: KeyBuffers) -> None:
        self._buffers = buffers
        self._positions: Tensor | None = None
        self._with_room = False
        self.place: int | None = None
        self.length = 0

    @property
    def capacity(self) -> int:
        """Positions that there is room for."""
        return 0 if self.place is None else self._buffers.capacity

    def begin(self, length: int) -> None:
        """Make ready for a pass over all of ``length`` positions."""
        self.length, self._positions = length, None

    def only(self, positions: Tensor, *, with_room: bool) -> None:
        """Make ready for a pass over some positions.

        Args:
            positions: (rows,) long.
            with_room: whether the pass is given the whole place, for its shapes to stay the same
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
        if self.place is None or old.start >= old.stop:
            return
        angles = None
        for keys, values in self._buffers.made():
            angles = angles or shift_angles(delta, frequencies, keys.device)
            keys[self.place, :, new] = rotary_shift(keys[self.place, :, old], angles)
            values[self.place, :, new] = values[self.place, :, old].clone()

    def leave(self) -> None:
        """Let another hole have the place."""
        if self.place is not None:
            self._buffers.leave(self.place)
        self.lose()

    def lose(self) -> None:
        """Hold nothing any more: the place is gone."""
        self.place, self.length = None, 0

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
        keys, values = self._of_layer(layer, key, value)
        if self._positions is None:
            keys[:, :, : self.length] = key
            values[:, :, : self.length] = value
            return key, value
        keys.index_copy_(2, self._positions, key)
        values.index_copy_(2, self._positions, value)
        if self._with_room:
            return keys, values
        return keys[:, :, : self.length], values[:, :, : self.length]

    def _of_layer(self, layer: int, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        assert self.place is not None
        keys, values = self._buffers.layer(layer, key, value)
        here = slice(self.place, self.place + 1)
        return keys[here], values[here]


class TextsKeys:
    """Stands for a cache in a pass over several whole texts, some of which hold theirs.

    Args:
        holding: for each row the hole that holds its keys and has begun with its length, if any.
    """

    def __init__(self, holding: Sequence[HoleKeys | None]) -> None:
        self._holding = holding

    def update(
        self, key: Tensor, value: Tensor, layer: int, *_: object, **__: object
    ) -> tuple[Tensor, Tensor]:
        """As `HoleKeys.update`, with a row each; behind its length a row is padding."""
        for row, keys in enumerate(self._holding):
            if keys is not None:
                here = (slice(row, row + 1), slice(None), slice(keys.length))
                keys.update(key[here], value[here], layer)
        return key, value


class SeveralKeys:
    """Stands for a cache in a pass over some positions of several holes, a row each.

    Args:
        buffers: have their places.
        places: of each row.
        positions: (rows, positions) long, those of the pass.
    """

    def __init__(self, buffers: KeyBuffers, places: Sequence[int], positions: Tensor) -> None:
        self._buffers = buffers
        self._places = places
        self._positions = positions

    def update(
        self, key: Tensor, value: Tensor, layer: int, *_: object, **__: object
    ) -> tuple[list[Tensor], list[Tensor]]:
        """As `HoleKeys.update`.

        Returns:
            For each row the keys and the values of its whole place, (heads, capacity, head size).
        """
        keys, values = self._buffers.layer(layer, key, value)
        for row, place in enumerate(self._places):
            keys[place].index_copy_(1, self._positions[row], key[row])
            values[place].index_copy_(1, self._positions[row], value[row])
        return [keys[place] for place in self._places], [values[place] for place in self._places]
