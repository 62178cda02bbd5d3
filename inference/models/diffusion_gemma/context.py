"""Encoded contexts, kept from one request to the next.

A context is causal: what is held for a token depends on the tokens before it alone. So a context
that is cut at any place is exactly the context of the shorter text. `transformers`' own caches keep
no more of a sliding-window layer than its window and cannot be cut back behind it; here every layer
keeps all of it, and a request is given views of what its layers see.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from transformers.cache_utils import DynamicCache, DynamicLayer, DynamicSlidingWindowLayer

from midfill.inference.context_cache import tokens_in_common

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import torch
    from torch import Tensor
    from transformers import DiffusionGemmaTextConfig

ROOM_STEP = 256
"""Tokens by which buffers grow."""


def room_for(tokens: int) -> int:
    """Tokens that the buffers for so many have room for."""
    return -(-tokens // ROOM_STEP) * ROOM_STEP


def token_bytes(config: DiffusionGemmaTextConfig, dtype: torch.dtype) -> int:
    """Bytes that the keys and values of a token take in all layers.

    Args:
        config: the model's.
        dtype: that it computes in.
    """
    layers = [config.per_layer_config[number] for number in range(config.num_hidden_layers)]
    numbers: int = sum(2 * one.num_key_value_heads * one.head_dim for one in layers)
    return numbers * dtype.itemsize


class EncodedContext:
    """Attention keys and values of every layer for a run of tokens, none ever dropped.

    Attributes:
        tokens: the ids that are encoded.
    """

    def __init__(self, config: DiffusionGemmaTextConfig) -> None:
        self.tokens: list[int] = []
        self._config = config
        self._room = 0
        self._keys: list[Tensor] = []  # a layer: (1, key heads, capacity, head size)
        self._values: list[Tensor] = []

    def __len__(self) -> int:
        return len(self.tokens)

    @property
    def nbytes(self) -> int:
        return sum(buffer.nbytes for buffer in (*self._keys, *self._values))

    @property
    def token_bytes(self) -> int:
        """Bytes that each token takes that there is room for; 0 as long as there is none."""
        return self.nbytes // self._keys[0].shape[2] if self._keys else 0

    def reserve(self, tokens: int) -> None:
        """Have room for so many tokens in all, so that nothing is copied while they come."""
        self._room = max(self._room, room_for(tokens))
        for buffers in (self._keys, self._values):
            for number, buffer in enumerate(buffers):
                buffers[number] = _with_room(buffer, self._room, len(self))

    def view(self, rows: int = 1) -> DynamicCache:
        """What the layers see of it: all of it, or as much as fits in their window.

        Args:
            rows: how many canvases stand behind it; none of them costs memory.
        """
        cache = DynamicCache(config=self._config)
        end = len(self)
        for layer, keys, values in zip(layers_of(cache), self._keys, self._values, strict=False):
            start = 0
            layer.lazy_initialization(keys, values)
            if isinstance(layer, DynamicSlidingWindowLayer):
                start = max(0, end - layer.sliding_window + 1)
                layer.cumulative_length = end
            layer.keys = keys[:, :, start:end].expand(rows, -1, -1, -1)
            layer.values = values[:, :, start:end].expand(rows, -1, -1, -1)
        return cache

    def extend(self, tokens: Sequence[int], encode: Callable[[DynamicCache], None]) -> None:
        """Append tokens.

        Args:
            tokens: their ids.
            encode: encodes them behind the cache that it is given, and into it.
        """
        cache = self.view()
        for layer in layers_of(cache):
            if isinstance(layer, DynamicSlidingWindowLayer):
                layer.record_past = True
        encode(cache)
        states = [_states(layer) for layer in layers_of(cache)]
        if not self._keys:
            self._keys = [_empty_like(keys) for keys, _ in states]
            self._values = [_empty_like(values) for _, values in states]
        start, end = len(self), len(self) + len(tokens)
        self.reserve(end)
        for number, (keys, values) in enumerate(states):
            self._keys[number][:, :, start:end] = keys[:, :, -len(tokens) :]
            self._values[number][:, :, start:end] = values[:, :, -len(tokens) :]
        self.tokens += tokens

    def crop(self, length: int) -> None:
        """Forget all but the first ``length`` tokens."""
        del self.tokens[length:]

    def fork(self, length: int, room: int = 0) -> EncodedContext:
        """A copy of the first ``length`` tokens, with room for ``room`` of them at least."""
        copy = EncodedContext(self._config)
        copy.tokens = self.tokens[:length]
        copy._room = room_for(max(length, room))
        copy._keys = [_with_room(buffer[:, :, :0], copy._room, 0) for buffer in self._keys]
        copy._values = [_with_room(buffer[:, :, :0], copy._room, 0) for buffer in self._values]
        for ours, theirs in zip(
            (*copy._keys, *copy._values), (*self._keys, *self._values), strict=True
        ):
            ours[:, :, :length] = theirs[:, :, :length]
        return copy


@dataclass(frozen=True, slots=True)
class _Stored:
    context: EncodedContext
    caller: str


class ContextStore:
    """The contexts of the documents worked on, the least recently used dropped first.

    A context is taken out to be used and put back afterwards, so that no other fill can see it
    meanwhile; it is found by the caller whose text it holds alone. All together, those in use
    included, hold no more than they may, unless those in use alone are larger. Of these the last
    one to be put back is kept all the same, because a store that never kept anything would encode
    everything anew at each keystroke.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._stored: list[_Stored] = []
        self._in_use: list[EncodedContext] = []

    def __len__(self) -> int:
        return len(self._stored)

    @property
    def nbytes(self) -> int:
        """What those hold that are not in use."""
        return sum(stored.context.nbytes for stored in self._stored)

    def take(
        self, tokens: Sequence[int], empty: Callable[[], EncodedContext], caller: str = ""
    ) -> EncodedContext:
        """The caller's context that shares most with ``tokens``, cut to what it shares.

        One that would lose more than it keeps belongs to another document: it stays, and what is
        shared is copied out of it.

        Args:
            tokens: all that are going to be encoded; there is room for them.
            empty: a context without tokens.
            caller: whose text they are.
        """
        own = [stored.context for stored in self._stored if stored.caller == caller]
        best = max(own, key=lambda one: tokens_in_common(one.tokens, tokens), default=None)
        shared = tokens_in_common(best.tokens, tokens) if best else 0
        if best is None or not shared:
            taken = empty()
        elif 2 * shared < len(best):
            taken = best.fork(shared, len(tokens))
        else:
            self._stored = [stored for stored in self._stored if stored.context is not best]
            best.crop(shared)
            taken = best
        each = self._stored[0].context.token_bytes if self._stored else 0
        each = best.token_bytes if best else each
        self._drop_oldest(self._max_bytes - each * room_for(len(tokens)), spared=0)
        taken.reserve(len(tokens))
        self._in_use.append(taken)
        return taken

    def put(self, context: EncodedContext, caller: str = "") -> None:
        """Give a context of somebody's text back, which is then the last to be dropped."""
        self._in_use = [one for one in self._in_use if one is not context]
        if len(context):
            self._stored.append(_Stored(context, caller))
        self._drop_oldest(self._max_bytes, spared=1)

    def forget(self, caller: str) -> None:
        """Let go of what holds a caller's text."""
        self._stored = [stored for stored in self._stored if stored.caller != caller]

    def clear(self) -> None:
        self._stored.clear()

    def _drop_oldest(self, max_bytes: int, spared: int) -> None:
        max_bytes -= sum(context.nbytes for context in self._in_use)
        while len(self._stored) > spared and self.nbytes > max_bytes:
            del self._stored[0]


def layers_of(cache: DynamicCache) -> list[DynamicLayer]:
    """The layers of a cache, all of them of the two kinds that this model has."""
    return [layer for layer in cache.layers if isinstance(layer, DynamicLayer)]


def _states(layer: DynamicLayer) -> tuple[Tensor, Tensor]:
    """Keys and values, of which the last ones are new."""
    assert layer.keys is not None
    assert layer.values is not None
    return layer.keys, layer.values


def _empty_like(states: Tensor) -> Tensor:
    rows, heads, _, size = states.shape
    return states.new_empty(rows, heads, 0, size)


def _with_room(buffer: Tensor, room: int, used: int) -> Tensor:
    """The buffer, or a larger copy of the first ``used`` states in it."""
    rows, heads, capacity, size = buffer.shape
    if capacity >= room:
        return buffer
    grown = buffer.new_empty(rows, heads, room, size)
    grown[:, :, :used] = buffer[:, :, :used]
    return grown
