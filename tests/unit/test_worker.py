from __future__ import annotations

import asyncio
import threading
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest
from serving import eventually
from stepping_engine import SteppingEngine

from midfill.inference.errors import EngineBusy, MidfillError, QueueFull, WeightsMissing
from midfill.inference.service.status import Status
from midfill.inference.service.worker import Worker
from midfill.inference.shared_steps import SharedSteps
from midfill.inference.wire import Draft, Final, InfillRequest, Limits

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from midfill.inference.service.job import Job


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


async def test_fills_take_turns_step_by_step_as_many_as_the_engine_makes_at_once() -> None:
    engine = SteppingEngine(steps=3, step_seconds=0.02, fills_at_once=2)
    async with working(engine) as (worker, _):
        await asyncio.gather(*(results(worker.submit(request(name))) for name in "abc"))

    assert engine.happened[:4] in (["a", "b", "a", "b"], ["a", "a", "b", "a"])
    assert "c" not in engine.happened[:4]
    assert sorted(engine.happened) == sorted("abc" * 3)


async def test_a_fill_that_fails_leaves_the_others_alone() -> None:
    engine = SteppingEngine(steps=5, step_seconds=0.01, fills_at_once=3)
    async with working(engine) as (worker, _):
        good = worker.submit(request("good"))
        bad = worker.submit(InfillRequest(prefix="bad", language="exit"))
        outcomes = await asyncio.gather(results(good), results(bad), return_exceptions=True)

        assert isinstance(outcomes[0][-1], Final)
        assert isinstance(outcomes[1], MidfillError)
        assert isinstance((await results(worker.submit(request())))[-1], Final)


async def test_somebody_who_asks_much_keeps_nobody_waiting() -> None:
    engine = SteppingEngine(steps=1, step_seconds=0.03)
    async with working(engine) as (worker, _):
        much = [worker.submit(request(f"ann {n}"), caller="ann") for n in range(4)]
        little = worker.submit(request("ben"), caller="ben")
        await asyncio.gather(*map(results, [*much, little]))

    assert engine.filled.index("ben") <= 2


async def test_of_one_document_the_newest_request_is_answered_first() -> None:
    engine = SteppingEngine(steps=2, step_seconds=0.05)
    async with working(engine) as (worker, _):
        first = worker.submit(request("running"))
        await eventually(lambda: engine.filled)
        jobs = [
            worker.submit(InfillRequest(prefix=prefix, document="one")) for prefix in ("old", "new")
        ]
        await asyncio.gather(*map(results, [first, *jobs]))

    assert engine.filled == ["running", "new", "old"]


async def test_contexts_are_forgotten_behind_what_was_queued_before_and_ahead_of_the_rest() -> None:
    engine = SteppingEngine(steps=1, step_seconds=0.03)
    async with working(engine) as (worker, _):
        before = [worker.submit(request(name)) for name in ("a", "b")]
        worker.forget()
        behind = worker.submit(request("c"))
        await asyncio.gather(*map(results, [*before, behind]))
        await eventually(lambda: engine.forgotten)

    assert engine.happened == ["a", "b", "forget", "c"]


async def test_a_request_whose_time_is_up_before_its_turn_is_told_so() -> None:
    engine = SteppingEngine(steps=4, step_seconds=0.05)
    async with working(engine) as (worker, _):
        first = worker.submit(request("first"))
        await eventually(lambda: engine.filled)
        late = worker.submit(InfillRequest(prefix="late", limits=Limits(deadline_ms=20)))
        await results(first)
        with pytest.raises(EngineBusy, match="deadline"):
            await results(late)

    assert engine.filled == ["first"]


async def test_time_spent_loading_the_model_is_not_taken_off_a_deadline() -> None:
    engine = SteppingEngine(load_seconds=0.3)
    async with working(engine) as (worker, _):
        job = worker.submit(InfillRequest(prefix="first", limits=Limits(deadline_ms=200)))
        assert isinstance((await results(job))[-1], Final)


async def test_a_caller_who_fills_the_queue_is_refused_and_told_when_to_come_again() -> None:
    engine = SteppingEngine(steps=3, step_seconds=0.05)
    status = Status(version="1", model=engine.model)
    worker = Worker(lambda: engine, status, places=8, places_each=2)
    worker.start()
    mine = [worker.submit(request(), caller="ann") for _ in range(2)]
    with pytest.raises(QueueFull) as refused:
        worker.submit(request(), caller="ann")
    assert refused.value.retry_after is not None
    assert 0 < refused.value.retry_after < 60

    other = worker.submit(request(), caller="ben")
    await asyncio.gather(*map(results, [*mine, other]))
    assert worker.stop(within=5)


async def test_a_caller_lets_go_of_their_own_text_and_the_same_wish_waits_once() -> None:
    engine = SteppingEngine(steps=3, step_seconds=0.02)
    async with working(engine) as (worker, _):
        running = worker.submit(request("a"), caller="ann")
        for name in ("ann", "ann", "bob"):
            worker.forget(name)
        await results(running)
        await eventually(lambda: len(engine.forgotten) == 2)
        await results(worker.submit(request("b"), caller="ann"))

    assert engine.forgotten == ["ann", "bob"]


async def test_an_engine_that_cannot_let_go_goes_on_filling() -> None:
    engine = SteppingEngine()
    engine.forgetting_fails = True
    async with working(engine) as (worker, _):
        worker.forget("ann")
        await eventually(lambda: engine.forgotten)
        assert isinstance((await results(worker.submit(request())))[-1], Final)


async def test_whatever_the_thread_stumbles_over_it_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    advance, stumbled = SharedSteps.advance, []

    def stumble_once(steps: SharedSteps) -> None:
        advance(steps)
        if len(steps) and not stumbled:
            stumbled.append(1)
            raise RuntimeError("nobody foresaw this")

    monkeypatch.setattr(SharedSteps, "advance", stumble_once)
    async with working(SteppingEngine()) as (worker, _):
        async with asyncio.timeout(10):
            with pytest.raises(MidfillError):
                await results(worker.submit(request()))
            assert isinstance((await results(worker.submit(request())))[-1], Final)


async def test_who_was_just_to_begin_when_the_thread_stumbles_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    advance, stumbled = SharedSteps.advance, []

    def stumble_first(steps: SharedSteps) -> None:
        if len(steps) and not stumbled:
            stumbled.append(1)
            raise RuntimeError("nobody foresaw this")
        advance(steps)

    monkeypatch.setattr(SharedSteps, "advance", stumble_first)
    async with working(SteppingEngine()) as (worker, _):
        async with asyncio.timeout(10):
            with pytest.raises(MidfillError):
                await results(worker.submit(request()))
            assert isinstance((await results(worker.submit(request())))[-1], Final)


async def test_the_end_does_not_wait_behind_what_is_still_to_be_done() -> None:
    engine = SteppingEngine(steps=2, step_seconds=0.2)
    async with working(engine) as (worker, _):
        running = worker.submit(request())
        await eventually(lambda: engine.filled)
        worker.forget("ann")
        assert worker.stop(within=5)
        running.cancel()

    assert engine.forgotten == []


async def test_what_comes_next_is_encoded_while_nothing_is_asked() -> None:
    engine = SteppingEngine()
    engine.pieces_ahead = 5
    async with working(engine) as (worker, _):
        await results(worker.submit(request("a")))
        await eventually(lambda: not engine.pieces_ahead)

    assert engine.happened == ["a"] * 3 + ["ahead"] * 5
    assert len(engine.threads) == 1


async def test_whoever_asks_waits_for_no_more_than_a_piece_of_what_comes_next() -> None:
    engine = SteppingEngine(step_seconds=0.02)
    engine.pieces_ahead = 1000
    async with working(engine) as (worker, _):
        await results(worker.submit(request("a")))
        await eventually(lambda: "ahead" in engine.happened)
        pieces = engine.happened.count("ahead")
        job = worker.submit(request("b"))
        await results(job)
        assert engine.happened[: engine.happened.index("b")].count("ahead") <= pieces + 2
        last = len(engine.happened) - 1 - engine.happened[::-1].index("b")
        first = engine.happened.index("b")
        assert "ahead" not in engine.happened[first:last]
        engine.pieces_ahead = 1


async def test_a_failure_to_encode_ahead_stops_that_and_nothing_else() -> None:
    engine = SteppingEngine()
    engine.encoding_ahead_fails = True
    async with working(engine) as (worker, _):
        for name in "ab":
            *_, final = await results(worker.submit(request(name)))
            assert isinstance(final, Final)
    assert engine.filled == ["a", "b"]


async def test_nothing_is_encoded_ahead_by_a_model_that_was_unloaded() -> None:
    engine = SteppingEngine(step_seconds=0.02)
    engine.pieces_ahead = 1000
    async with working(engine) as (worker, status):
        await results(worker.submit(request("a")))
        worker.unload()
        await eventually(lambda: status.health.state == "idle")
        pieces = engine.happened.count("ahead")
        await asyncio.sleep(0.1)
        assert engine.happened.count("ahead") == pieces
