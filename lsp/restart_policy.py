"""When to start an engine again that went away, and when to leave it at that."""

from __future__ import annotations

from collections import deque

FIRST_DELAY = 0.2
LONGEST_DELAY = 10.0
FAILURES = 5
WITHIN = 60.0
PAUSE = 30.0


class RestartPolicy:
    """Waits twice as long after every failure, and stops after too many.

    All times in seconds.

    Args:
        first_delay: the wait after the first failure.
        longest_delay: no wait is longer.
        failures: so many ``within`` that time, and it is no use to go on.
        within: how long a failure counts.
        pause: after having stopped, how long to wait before one more try.
    """

    def __init__(
        self,
        *,
        first_delay: float = FIRST_DELAY,
        longest_delay: float = LONGEST_DELAY,
        failures: int = FAILURES,
        within: float = WITHIN,
        pause: float = PAUSE,
    ) -> None:
        self._first_delay = first_delay
        self._longest_delay = longest_delay
        self._failures = failures
        self._within = within
        self._pause = pause
        self._failed_at: deque[float] = deque()
        self._stopped_at: float | None = None

    def failed(self, now: float) -> float | None:
        """Note a failure; the wait before the next try, or None when there shall be none."""
        self._forget(now)
        self._failed_at.append(now)
        if self._stopped_at is not None or len(self._failed_at) >= self._failures:
            self._stopped_at = now
            return None
        doublings = len(self._failed_at) - 1
        return min(self._first_delay * 2.0**doublings, self._longest_delay)

    def stop(self, now: float) -> None:
        """Note that trying again is no use for another reason."""
        self._stopped_at = now

    def held(self, seconds: float) -> None:
        """Note how long an engine stayed; one that stays is trusted again."""
        if seconds >= self._within:
            self._failed_at.clear()
            self._stopped_at = None

    def pause_left(self, now: float) -> float:
        """How long a request must still wait before it may cause another try."""
        if self._stopped_at is None:
            return 0.0
        return max(0.0, self._stopped_at + self._pause - now)

    def _forget(self, now: float) -> None:
        while self._failed_at and self._failed_at[0] <= now - self._within:
            self._failed_at.popleft()
