"""How many threads can be started at all: users and containers have limits.

Threads of torch's operations cannot be done without one by one: where OpenMP cannot start one of
them, it ends the process. So they are counted first.
"""

from __future__ import annotations

from threading import Event, Thread

import torch

OTHERS = 8
"""Threads that the engine's process wants besides those that compute."""


def threads_that_start(wanted: int) -> int:
    """Over how many threads operations can be spread, at least one and at most ``wanted``.

    Torch's operations and the native ones have their own, so each more is two more. They are
    started for a moment, all at once: limits are of many kinds, and some nobody can read.

    Args:
        wanted: as many as there are cores, say.
    """
    go = Event()
    started: list[Thread] = []
    try:
        for _ in range(2 * (wanted - 1) + OTHERS):
            thread = Thread(target=go.wait, daemon=True)
            thread.start()
            started.append(thread)
    except RuntimeError:  # as Python says that there is none to be had
        pass
    finally:
        go.set()
        for thread in started:
            thread.join()
    return min(wanted, 1 + max(0, len(started) - OTHERS) // 2)


def use_no_more_threads_than_start() -> int:
    """Hold torch to as many threads as can be had; to be called before it first computes.

    Returns:
        How many that are.
    """
    threads = max(1, threads_that_start(torch.get_num_threads()))
    torch.set_num_threads(threads)
    return threads
