"""How much of the machine others took while something was measured."""

from __future__ import annotations

import time
from dataclasses import dataclass

import psutil


@dataclass(frozen=True, slots=True)
class BusyWatch:
    """Started by `start`.

    Attributes:
        at: seconds, on the monotonic clock.
        machine: seconds that all cores together had been busy by then.
        process: seconds that this process had kept them busy.
    """

    at: float
    machine: float
    process: float

    @classmethod
    def start(cls) -> BusyWatch:
        times = psutil.cpu_times()
        waiting = times.idle + getattr(times, "iowait", 0.0)
        # Time of guests is counted in user and nice time already.
        guests = getattr(times, "guest", 0.0) + getattr(times, "guest_nice", 0.0)
        return cls(time.monotonic(), sum(times) - waiting - guests, time.process_time())

    def others(self) -> float:
        """Cores that other programs kept busy since then, on average."""
        return self.until(BusyWatch.start())

    def until(self, later: BusyWatch) -> float:
        """Likewise, until a later moment; 0 if no time has passed."""
        seconds = later.at - self.at
        busy = (later.machine - self.machine) - (later.process - self.process)
        return max(0.0, busy / seconds) if seconds > 0 else 0.0
