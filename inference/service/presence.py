"""Whether anybody is there: event streams and requests, or since when there are none."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Presence:
    """Counts who is connected. Lives on the event loop."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._there = 0
        self._alone_since = clock()

    def enter(self) -> Callable[[], None]:
        """Somebody has come; call what is returned when they have gone, once or more often."""
        gone = False
        self._there += 1

        def leave() -> None:
            nonlocal gone
            if not gone:
                gone = True
                self._there -= 1
                self._alone_since = self._clock()

        return leave

    def alone_for(self) -> float:
        """Seconds since the last one went; 0 while anybody is there."""
        return 0.0 if self._there else self._clock() - self._alone_since
