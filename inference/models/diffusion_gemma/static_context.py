"""Contexts in buffers that stay where they are, a place for each canvas under way.

So captured graphs may read them, and canvases behind several contexts may be rows of one pass.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol
from weakref import ref

from transformers.cache_utils import DynamicCache

from midfill.inference.models.diffusion_gemma.context import layers_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from weakref import ReferenceType

    from torch import Tensor
    from transformers import DiffusionGemmaTextConfig

    from midfill.inference.models.diffusion_gemma.context import EncodedContext

ROOM_STEP = 512
"""Tokens by which buffers grow."""

KINDS = ("full_attention", "sliding_attention")


class Behind(Protocol):
    """What stands behind a context, which stays as it is meanwhile."""

    context: EncodedContext


class StaticContext:
    """Copies of what the layers see of some contexts.

    A place is held for a canvas until the canvas is gone, or others need it; then its context is
    copied anew when its turn comes.

    Attributes:
        lengths: for each place, tokens that layers of each kind see, in the order of `KINDS`.
        rooms: tokens that there is room for in each place, likewise.
    """

    def __init__(self, config: DiffusionGemmaTextConfig) -> None:
        self._config = config
        self._keys: list[Tensor] = []  # a layer: (places, key heads, room, head size)
        self._values: list[Tensor] = []
        self._caches: dict[tuple[int, int, int], DynamicCache] = {}
        self._held: list[ReferenceType[Behind] | None] = []
        self.lengths: list[list[int]] = []
        self.rooms = [0, 0]

    @property
    def nbytes(self) -> int:
        return sum(buffer.nbytes for buffer in (*self._keys, *self._values))

    @property
    def places(self) -> int:
        return len(self._held)

    def hold(
        self, canvases: Sequence[Behind], places: int, replacing: Callable[[], None]
    ) -> list[int]:
        """Have the contexts that some canvases stand behind in the first places.

        Args:
            canvases: each of them gets a place of its own.
            places: they are among so many, at least as many as canvases.
            replacing: called before buffers are replaced, which nothing may refer to then.

        Returns:
            The place of each.
        """
        views = {id(one): one.context.view() for one in canvases if self._place(one) is None}
        if places > self.places or not all(map(self._has_room_for, views.values())):
            views = {id(one): one.context.view() for one in canvases}
            replacing()
            self._make_room(list(views.values()), max(places, self.places))
        found = [self._place(one) for one in canvases]
        taken = {place for place in found if place is not None and place < places}
        # Those of canvases that are gone first.
        free = sorted(set(range(places)) - taken, key=self._is_held)
        for number, one in enumerate(canvases):
            place = found[number]
            if place is None or place >= places:
                if place is not None:
                    self._held[place] = None
                place = found[number] = free.pop(0)
                self._held[place] = None  # until all of it is copied
                self._copy(place, views.get(id(one)) or one.context.view())
                self._held[place] = ref(one)
        return [place for place in found if place is not None]

    def cache(self, first: int, places: int, rows: int) -> DynamicCache:
        """The whole buffers of some places, as the layers take them.

        A mask says how much of them counts.

        Args:
            first: the place that it begins with.
            places: how many.
            rows: of the pass: as many, or any number behind one place.
        """
        key = (first, places, rows)
        if key not in self._caches:
            cache = self._caches[key] = DynamicCache(config=self._config)
            for layer, keys, values in zip(layers_of(cache), self._keys, self._values, strict=True):
                layer.lazy_initialization(keys, values)
                layer.keys = keys[first : first + places].expand(rows, -1, -1, -1)
                layer.values = values[first : first + places].expand(rows, -1, -1, -1)
        return self._caches[key]

    def clear(self) -> None:
        """Give the buffers back."""
        self._keys, self._values, self._caches, self._held = [], [], {}, []
        self.lengths, self.rooms = [], [0, 0]

    def _place(self, canvas: Behind) -> int | None:
        held = (
            place for place, one in enumerate(self._held) if one is not None and one() is canvas
        )
        return next(held, None)

    def _is_held(self, place: int) -> bool:
        held = self._held[place]
        return held is not None and held() is not None

    def _has_room_for(self, view: DynamicCache) -> bool:
        return all(length <= room for length, room in zip(_lengths(view), self.rooms, strict=True))

    def _make_room(self, views: Sequence[DynamicCache], places: int) -> None:
        """Larger buffers, which hold nothing yet."""
        longest = [max(kind) for kind in zip(self.rooms, *map(_lengths, views), strict=True)]
        self.clear()
        self.rooms = [-(-length // ROOM_STEP) * ROOM_STEP for length in longest]
        for layer in layers_of(views[0]):
            assert layer.keys is not None
            assert layer.values is not None
            room = self.rooms[layer.is_sliding]
            self._keys.append(_zeros(layer.keys, places, room))
            self._values.append(_zeros(layer.values, places, room))
        self._held = [None] * places
        self.lengths = [[0, 0] for _ in range(places)]

    def _copy(self, place: int, view: DynamicCache) -> None:
        """Hold what a view of one row holds; what stands behind it is finite."""
        self.lengths[place] = _lengths(view)
        for layer, keys, values in zip(layers_of(view), self._keys, self._values, strict=True):
            assert layer.keys is not None
            assert layer.values is not None
            length = layer.keys.shape[2]
            keys[place, :, :length] = layer.keys[0]
            values[place, :, :length] = layer.values[0]


def _lengths(view: DynamicCache) -> list[int]:
    lengths = [0, 0]
    for layer in layers_of(view):
        assert layer.keys is not None
        lengths[layer.is_sliding] = layer.keys.shape[2]
    return lengths


def _zeros(like: Tensor, places: int, room: int) -> Tensor:
    _, heads, _, size = like.shape
    return like.new_zeros(places, heads, room, size)
