"""Threads are counted before anybody relies on them."""

from __future__ import annotations

from threading import Thread, active_count

import pytest

from midfill.kernels.thread_limit import OTHERS, threads_that_start


@pytest.mark.parametrize("wanted", [1, 2, 5])
def test_all_can_be_had_where_nothing_limits_them(wanted: int) -> None:
    before = active_count()
    assert threads_that_start(wanted) == wanted
    assert active_count() == before


@pytest.mark.parametrize(
    ("limit", "threads"),
    [(0, 1), (OTHERS, 1), (OTHERS + 1, 1), (OTHERS + 2, 2), (OTHERS + 7, 4), (999, 6)],
)
def test_as_many_compute_as_can_be_started_twice_beside_the_others(
    monkeypatch: pytest.MonkeyPatch, limit: int, threads: int
) -> None:
    started: list[Thread] = []
    start = Thread.start

    def starting(thread: Thread) -> None:
        if len(started) >= limit:
            raise RuntimeError("can't start new thread")
        started.append(thread)
        start(thread)

    monkeypatch.setattr(Thread, "start", starting)
    assert threads_that_start(6) == threads
    assert not any(thread.is_alive() for thread in started)
