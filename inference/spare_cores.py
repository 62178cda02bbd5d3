"""How many threads to compute with while other programs want the cores too.

Threads of one operation wait for each other at its end. When one of them does not get a core, all
the others stand still: with every core taken up by somebody else, two threads are several times
slower than one. So the engine uses the cores that the others leave.
"""

from __future__ import annotations

from math import floor

from midfill.inference.busy_watch import BusyWatch

FRESH = 60.0
"""Seconds; what was measured over a longer time says little about now."""

SHORTEST = 0.05
"""Seconds; what was measured over a shorter time is mostly the editor that asks."""

TAKEN = 0.7
"""A core that others keep busy for this part of the time is theirs."""


def spare_cores(cores: int, seconds: float, machine: float, process: float) -> int:
    """How many of ``cores`` the others left, at least one.

    Args:
        cores: of the machine that this process may use.
        seconds: how long was measured.
        machine, process: seconds in which all cores together, and this process, were busy.
    """
    others = max(0.0, machine - process) / seconds
    return max(1, cores - floor(others + 1 - TAKEN))


class SpareCores:
    """Watches the machine from one request to the next."""

    def __init__(self, cores: int) -> None:
        self._cores = cores
        self._last = BusyWatch.start()
        self._count = cores

    def count(self) -> int:
        """How many cores the others have left since this was last asked, at least one.

        All of them if that was long ago, and what it was then if that was only just now.
        """
        before, now = self._last, BusyWatch.start()
        seconds = now.at - before.at
        if seconds > FRESH:
            self._count = self._cores
        elif seconds >= SHORTEST:
            self._count = spare_cores(
                self._cores, seconds, now.machine - before.machine, now.process - before.process
            )
        else:
            return self._count
        self._last = now
        return self._count
