"""Encoded contexts kept from one request to the next, found by their longest common prefix."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING

from cachetools import LRUCache

from midfill.inference.context_cache import tokens_in_common

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from midfill.inference.context_cache import ContextCache

CONTEXT_BYTES = 48 * 2**20
"""What a store holds unless told otherwise: the documents of one person."""

WORTH_REUSING = 8
"""Tokens; a shorter common prefix is no more than the markers that every prompt begins with."""


@dataclass(frozen=True, slots=True)
class _Stored:
    cache: ContextCache
    caller: str


class PrefixCache:
    """A bounded store of context caches, the least recently used dropped first.

    A cache is taken out to be used and put back afterwards, so nobody else can see it meanwhile.
    It is found by the caller whose text it holds alone: from how much of a context is known already
    anybody else could tell, piece by piece, what that text is.
    """

    def __init__(self, max_bytes: int) -> None:
        self._stored: LRUCache[int, _Stored] = LRUCache(
            max_bytes, getsizeof=lambda stored: stored.cache.nbytes
        )
        self._numbers = count()

    def __len__(self) -> int:
        return len(self._stored)

    @property
    def nbytes(self) -> int:
        return int(self._stored.currsize)

    def take(
        self, tokens: Sequence[int], empty: Callable[[], ContextCache], caller: str = ""
    ) -> tuple[ContextCache, list[int]]:
        """The caller's cache that shares most with ``tokens``, cropped to what it shares.

        At least the last token is always left to encode, since its prediction is wanted. A cache
        that would lose more than it keeps belongs to another document: it stays, and what is shared
        is copied out of it.

        Args:
            tokens: the whole context of the request.
            empty: makes a cache where none shares enough.
            caller: whose request it is.

        Returns:
            The cache, and what is believed to follow ``tokens``: what followed them last time.
        """
        best, shared = None, 0
        for number, stored in self._stored.items():
            if stored.caller != caller:
                continue
            length = tokens_in_common(stored.cache.tokens, tokens)
            if length > shared:
                best, shared = number, length
        if best is None or shared < WORTH_REUSING:
            return empty(), []
        kept = min(shared, len(tokens) - 1)
        found = self._stored[best].cache
        believed = _continuation(found, tokens)
        if 2 * shared < len(found):
            return found.fork(kept), believed
        del self._stored[best]
        found.crop(kept)
        return found, believed

    def put(self, cache: ContextCache, caller: str = "") -> None:
        """Give a cache of somebody's text back; one larger than the whole store is dropped."""
        if len(cache) and cache.nbytes <= self._stored.maxsize:
            self._stored[next(self._numbers)] = _Stored(cache, caller)

    def forget(self, caller: str) -> None:
        """Let go of what holds a caller's text."""
        for number in [it for it, stored in self._stored.items() if stored.caller == caller]:
            del self._stored[number]

    def clear(self) -> None:
        self._stored.clear()


def _continuation(cache: ContextCache, tokens: Sequence[int]) -> list[int]:
    """What stood behind ``tokens`` in a cache; nothing if something else stood in their place."""
    known = [*cache.tokens, *cache.believed]
    return known[len(tokens) :] if known[: len(tokens)] == list(tokens) else []
