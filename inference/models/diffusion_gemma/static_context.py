"""A context in buffers that stay where they are, so that captured graphs may read it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from transformers.cache_utils import DynamicCache

from midfill.inference.models.diffusion_gemma.context import layers_of

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import DiffusionGemmaTextConfig

ROOM_STEP = 512
"""Tokens by which buffers grow."""

KINDS = ("full_attention", "sliding_attention")


class StaticContext:
    """Copies of what the layers see of one context at a time.

    Attributes:
        lengths: tokens that layers of each kind see, in the order of `KINDS`.
        rooms: tokens that there is room for, likewise.
    """

    def __init__(self, config: DiffusionGemmaTextConfig) -> None:
        self._config = config
        self._keys: list[Tensor] = []  # a layer: (1, key heads, room, head size)
        self._values: list[Tensor] = []
        self._caches: dict[int, DynamicCache] = {}
        self.lengths = [0, 0]
        self.rooms = [0, 0]

    @property
    def nbytes(self) -> int:
        return sum(buffer.nbytes for buffer in (*self._keys, *self._values))

    def has_room_for(self, view: DynamicCache) -> bool:
        """Whether a view of one row fits in the buffers as they are."""
        return all(length <= room for length, room in zip(_lengths(view), self.rooms, strict=True))

    def make_room_for(self, view: DynamicCache) -> None:
        """Larger buffers; nothing may refer to the old ones any more."""
        self.clear()
        self.rooms = [-(-length // ROOM_STEP) * ROOM_STEP for length in _lengths(view)]
        for layer in layers_of(view):
            assert layer.keys is not None
            assert layer.values is not None
            room = self.rooms[layer.is_sliding]
            self._keys.append(_zeros(layer.keys, room))
            self._values.append(_zeros(layer.values, room))

    def copy(self, view: DynamicCache) -> None:
        """Hold what a view of one row holds; what stands behind it is finite."""
        self.lengths = _lengths(view)
        for layer, keys, values in zip(layers_of(view), self._keys, self._values, strict=True):
            assert layer.keys is not None
            assert layer.values is not None
            length = layer.keys.shape[2]
            keys[:, :, :length] = layer.keys
            values[:, :, :length] = layer.values

    def cache(self, rows: int) -> DynamicCache:
        """The whole buffers, as the layers take them; a mask says how much of them counts."""
        if rows in self._caches:
            return self._caches[rows]
        cache = self._caches[rows] = DynamicCache(config=self._config)
        for layer, keys, values in zip(layers_of(cache), self._keys, self._values, strict=True):
            layer.lazy_initialization(keys, values)
            layer.keys = keys.expand(rows, -1, -1, -1)
            layer.values = values.expand(rows, -1, -1, -1)
        return cache

    def clear(self) -> None:
        """Give the buffers back."""
        self._keys, self._values, self._caches = [], [], {}
        self.lengths, self.rooms = [0, 0], [0, 0]


def _lengths(view: DynamicCache) -> list[int]:
    lengths = [0, 0]
    for layer in layers_of(view):
        assert layer.keys is not None
        lengths[layer.is_sliding] = layer.keys.shape[2]
    return lengths


def _zeros(like: Tensor, room: int) -> Tensor:
    rows, heads, _, size = like.shape
    return like.new_zeros(rows, heads, room, size)
