"""One running request per document, always the newest."""

from __future__ import annotations

import asyncio

import pytest

from midfill.lsp.superseding import NewestOnly


class Work:
    """Work that lasts until it is told to end, and knows what became of it."""

    def __init__(self, result: str) -> None:
        self.end = asyncio.Event()
        self.started = False
        self.cancelled = False
        self._result = result

    async def __call__(self) -> str:
        self.started = True
        try:
            await self.end.wait()
        except asyncio.CancelledError:
            self.cancelled = True
            raise
        return self._result


async def a_moment() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_undisturbed_work_returns_its_result() -> None:
    assert await NewestOnly().run("a", asyncio.sleep(0, "done")) == "done"


async def test_newer_work_stops_the_older_which_returns_nothing() -> None:
    newest = NewestOnly()
    older, newer = Work("older"), Work("newer")
    first = asyncio.create_task(newest.run("a", older()))
    await a_moment()
    second = asyncio.create_task(newest.run("a", newer()))
    assert await first is None
    assert older.cancelled
    newer.end.set()
    assert await second == "newer"


async def test_work_for_another_document_goes_on() -> None:
    newest = NewestOnly()
    one, other = Work("one"), Work("other")
    first = asyncio.create_task(newest.run("a", one()))
    second = asyncio.create_task(newest.run("b", other()))
    await a_moment()
    one.end.set()
    other.end.set()
    assert await asyncio.gather(first, second) == ["one", "other"]


async def test_work_superseded_before_it_started_is_never_begun() -> None:
    newest = NewestOnly()
    works = [Work(str(number)) for number in range(20)]
    tasks = [asyncio.create_task(newest.run("a", work())) for work in works]
    works[-1].end.set()
    assert await asyncio.gather(*tasks) == [None] * 19 + ["19"]
    assert sum(work.started and not work.cancelled for work in works) == 1


async def test_a_callers_cancellation_passes_through_and_stops_the_work() -> None:
    newest = NewestOnly()
    work = Work("never")
    caller = asyncio.create_task(newest.run("a", work()))
    await a_moment()
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    assert work.cancelled


async def test_a_failure_passes_through() -> None:
    async def fail() -> None:
        raise LookupError

    with pytest.raises(LookupError):
        await NewestOnly().run("a", fail())


async def test_stopped_work_returns_nothing() -> None:
    newest = NewestOnly()
    work = Work("never")
    running = asyncio.create_task(newest.run("a", work()))
    await a_moment()
    newest.stop("a")
    assert await running is None
    newest.stop("a")  # again, with nothing running
