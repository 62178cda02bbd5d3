"""How long to wait before asking: until the user has probably paused, as they themselves type."""

from __future__ import annotations

import time
from collections import deque
from statistics import fmean
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

USUAL_GAP = 0.15
"""Seconds between two keys of somebody who has not typed enough yet to tell."""

SHORTEST_GAP, LONGEST_GAP = 0.04, 0.4
"""What gaps are taken for; a longer one is a pause and says nothing about the rhythm."""

ENOUGH_GAPS = 10
GAPS = 60

LIKELY_PLACE, UNLIKELY_PLACE = 1.0, 2.0
"""So many usual gaps have to pass: where people pause, and in the middle of a word."""

LONGEST_WAIT = 0.5
FAST, SLOW = 0.8, 0.2
"""Weights of the known and of a new latency in the moving average."""


class Rhythm:
    """One user's typing and the engine's answers, in seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._gaps: deque[float] = deque(maxlen=GAPS)
        self._last_key: float | None = None
        self._latency = 0.0

    def key(self) -> None:
        """Something has been typed."""
        now = self._clock()
        if self._last_key is not None and (gap := now - self._last_key) <= LONGEST_GAP:
            self._gaps.append(max(gap, SHORTEST_GAP))
        self._last_key = now

    def answered(self, seconds: float) -> None:
        """The engine has taken so long for an answer."""
        known = self._latency or seconds
        self._latency = FAST * known + SLOW * seconds

    @property
    def gap(self) -> float:
        """The usual time between two keys."""
        return fmean(self._gaps) if len(self._gaps) >= ENOUGH_GAPS else USUAL_GAP

    def wait(self, *, likely_place: bool) -> float:
        """How long to wait before asking the engine.

        From the last key on it takes a gap or two to see that nobody types on. What has passed
        since then counts, as some editors wait themselves; and what the engine will take anyway is
        time in which a next key would stop it.
        """
        gaps = LIKELY_PLACE if likely_place else UNLIKELY_PLACE
        passed = self._clock() - self._last_key if self._last_key is not None else LONGEST_WAIT
        wanted = gaps * self.gap - min(self._latency, self.gap)
        return min(max(wanted - passed, 0.0), LONGEST_WAIT)


def is_likely_place(before: str) -> bool:
    """Whether people tend to pause behind this text: behind anything but a part of a word."""
    return not before or not (before[-1].isalnum() or before[-1] == "_")
