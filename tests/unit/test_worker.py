from __future__ import annotations

import asyncio
import threading
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest
from serving import eventually
from stepping_engine import SteppingEngine

from midfill.inference.errors import EngineBusy, WeightsMissing
from midfill.inference.service.status import Status
from midfill.inference.service.worker import Worker
from midfill.inference.wire import Draft, Final, InfillRequest

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from midfill.inference.service.worker import Job


@asynccontextmanager
async def working(
    engine: SteppingEngine, *, places: int = 16, pause: float = 30.0
) -> AsyncIterator[tuple[Worker, Status]]:
    status = Status(version="1", model=engine.model)
    worker = Worker(lambda: engine, status, places=places, pause=pause)
    worker.start()
    try:
        yield worker, status
    finally:
        assert worker.stop(within=5)


async def results(job: Job) -> list[Draft | Final]:
    return [result async for result in job.results()]


def request(prefix: str = "") -> InfillRequest:
    return InfillRequest(prefix=prefix)


async def test_one_thread_owns_the_engine() -> None:
    engine = SteppingEngine()
    async with working(engine) as (worker, status):
        await asyncio.gather(*(results(worker.submit(request())) for _ in range(3)))
        worker.unload()
        await eventually(lambda: status.health.state == "idle")
        await results(worker.submit(request()))

    assert len(engine.threads) == 1
    assert threading.get_ident() not in engine.threads


async def test_first_come_first_served() -> None:
    engine = SteppingEngine()
    async with working(engine) as (worker, _):
        jobs = [worker.submit(request(name)) for name in "abc"]
        await asyncio.gather(*map(results, jobs))

    assert engine.filled == ["a", "b", "c"]


async def test_a_job_cancelled_while_it_waits_never_begins() -> None:
    engine = SteppingEngine(step_seconds=0.05)
    async with working(engine) as (worker, _):
        first, second, third = (worker.submit(request(name)) for name in "abc")
        second.cancel()
        await results(first)
        await results(third)

    assert engine.filled == ["a", "c"]


async def test_a_cancelled_job_makes_room_at_once() -> None:
    async with working(SteppingEngine(step_seconds=0.05), places=1) as (worker, _):
        job = worker.submit(request())
        with pytest.raises(EngineBusy):
            worker.submit(request())
        job.cancel()
        assert isinstance((await results(worker.submit(request())))[-1], Final)


async def test_a_failed_load_answers_the_keystrokes_after_it() -> None:
    engine = SteppingEngine(load_failures=1)
    async with working(engine, pause=0.5) as (worker, status):
        await eventually(lambda: status.health.state == "failed")
        assert status.health.detail == "the weights are not here: pull them"
        for _ in range(3):
            worker.load()
            with pytest.raises(WeightsMissing, match="pull them"):
                await results(worker.submit(request()))
        assert engine.loads == 1

        await asyncio.sleep(0.5)
        assert isinstance((await results(worker.submit(request())))[-1], Final)
        assert engine.loads == 2
        assert status.health.state == "ready"


async def test_an_engine_that_cannot_even_be_made_is_a_failed_load() -> None:
    def broken() -> SteppingEngine:
        raise ImportError("no module of that name")

    status = Status(version="1", model="broken")
    worker = Worker(broken, status)
    worker.start()

    await eventually(lambda: status.health.state == "failed")

    assert "ImportError" in status.health.detail
    assert worker.stop(within=5)


async def test_a_request_that_had_to_wait_for_the_model_says_so() -> None:
    async with working(SteppingEngine(load_seconds=0.2)) as (worker, _):
        waited = (await results(worker.submit(request())))[-1]
        ready = (await results(worker.submit(request())))[-1]

    assert isinstance(waited, Final)
    assert isinstance(ready, Final)
    assert ready.ms.load < 50


async def test_the_model_is_not_unloaded_under_a_waiting_job() -> None:
    engine = SteppingEngine(step_seconds=0.05)
    async with working(engine) as (worker, _):
        first = worker.submit(request())
        worker.unload()
        second = worker.submit(request())
        await asyncio.gather(results(first), results(second))

    assert engine.unloads == 0


async def test_stopping_answers_whoever_still_waits() -> None:
    engine = SteppingEngine(steps=1000, step_seconds=0.02)
    async with working(engine) as (worker, _):
        job = worker.submit(request())
        waiting = asyncio.create_task(results(job))
        await eventually(lambda: engine.filled)
        assert worker.stop(within=2)
        with pytest.raises(EngineBusy):
            await waiting


async def test_a_slow_watcher_is_told_the_newest_state_and_none_twice() -> None:
    status = Status(version="1", model="m")
    told = []
    async for health in status.watch():
        told.append((health.state.value, health.fraction))
        if len(told) == 1:
            for percent in range(100):
                status.set(health.state, "loading", percent / 100)
        else:
            status.close()

    assert told == [("loading", None), ("loading", 0.99)]
