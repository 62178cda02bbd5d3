"""How often somebody may ask, and how often somebody may guess."""

from __future__ import annotations

import time
from ipaddress import IPv6Address, ip_address
from typing import TYPE_CHECKING

from cachetools import LRUCache, TTLCache

if TYPE_CHECKING:
    from collections.abc import Callable

BURST_SECONDS = 10.0
"""So much of the rate may be used at once."""

GUESSES = 20
GUESS_SECONDS = 60.0
"""So many wrong tokens in so long, and an address is not listened to for as long."""

REMEMBERED = 10_000
"""Callers or addresses; those that came least lately are forgotten first."""


class CallerRates:
    """A token bucket for each caller: it fills at the rate, and every request takes one.

    Args:
        per_minute: requests of one caller.
        clock: in seconds.
    """

    def __init__(self, per_minute: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_second = per_minute / 60
        self._most = max(1.0, BURST_SECONDS * self._per_second)
        self._clock = clock
        self._buckets: LRUCache[str, tuple[float, float]] = LRUCache(REMEMBERED)

    def take(self, caller: str) -> float:
        """Count a request; 0 if it may come, else the seconds until one may."""
        now = self._clock()
        held, at = self._buckets.get(caller, (self._most, now))
        held = min(self._most, held + (now - at) * self._per_second)
        wait = 0.0 if held >= 1 else (1 - held) / self._per_second
        self._buckets[caller] = (held if wait else held - 1, now)
        return wait


class Guesses:
    """Wrong tokens by address. An address with too many is not compared with anything any more.

    Of an IPv6 address the network counts (64 bits), which is what one household is given.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._wrong: TTLCache[str, tuple[int, float]] = TTLCache(REMEMBERED, GUESS_SECONDS, clock)

    def wait(self, address: str) -> float:
        """Seconds for which an address is not listened to; 0 if it is."""
        count, until = self._wrong.get(_network(address), (0, 0.0))
        return max(0.0, until - self._clock()) if count >= GUESSES else 0.0

    def wrong(self, address: str) -> None:
        """Note a wrong token."""
        network, now = _network(address), self._clock()
        count, until = self._wrong.get(network, (0, now + GUESS_SECONDS))
        count += 1
        self._wrong[network] = (count, now + GUESS_SECONDS if count == GUESSES else until)


def _network(address: str) -> str:
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(parsed, IPv6Address):
        if parsed.ipv4_mapped:
            return str(parsed.ipv4_mapped)
        return str(IPv6Address(int(parsed) >> 64 << 64))
    return address
