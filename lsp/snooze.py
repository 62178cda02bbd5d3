"""Quiet for a while, when somebody wants to think for themselves."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

MINUTES = 10.0
"""How long, if nobody says."""

LONGEST_MINUTES = 24 * 60.0


class Snooze:
    """Whether suggestions are paused, and for how long."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._until = 0.0

    def begin(self, minutes: float = MINUTES) -> None:
        """Pause from now on.

        Raises:
            ValueError: it is no time, or longer than a day.
        """
        if not 0 < minutes <= LONGEST_MINUTES:
            raise ValueError(f"snooze for 0 to {LONGEST_MINUTES:.0f} minutes, not {minutes:g}")
        self._until = self._clock() + 60 * minutes

    def end(self) -> None:
        self._until = 0.0

    @property
    def minutes_left(self) -> float:
        """0 if suggestions are not paused."""
        return max(self._until - self._clock(), 0.0) / 60
