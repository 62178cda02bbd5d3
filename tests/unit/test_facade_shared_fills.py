from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING

import pytest
from finals import fill

from midfill.inference.errors import EngineBusy, MidfillError, QueueFull
from midfill.inference.service.facade.shared_fills import MOST_WAITING, SharedFills
from midfill.inference.wire import Final, InfillRequest

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from midfill.inference.service.facade.answering import Fill

ASKED = InfillRequest(prefix="x = ")
TEXTS = ("one", "two", "three", "four")


class Run:
    """A fill that ends when it is told to."""

    def __init__(self, request: InfillRequest) -> None:
        self.request = request
        self.cancelled = False
        self.outcome: asyncio.Future[Final] = asyncio.get_running_loop().create_future()

    async def results(self) -> AsyncGenerator[Final]:
        yield await self.outcome

    def cancel(self) -> None:
        self.cancelled = True

    def finish(self) -> None:
        self.outcome.set_result(fill(*TEXTS[: self.request.n]))


class Queue:
    """Takes runs in, or has no room."""

    def __init__(self) -> None:
        self.runs: list[Run] = []
        self.full = False

    def submit(self, request: InfillRequest) -> Run:
        if self.full:
            raise EngineBusy("no room")
        self.runs.append(Run(request))
        return self.runs[-1]


async def text_of(one: Fill) -> str:
    try:
        async with aclosing(one.results()) as results:
            async for result in results:
                assert isinstance(result, Final)
                return result.text
    finally:
        one.cancel()
    raise AssertionError("no answer")


async def the_next_run(queue: Queue, number: int) -> Run:
    while len(queue.runs) < number:
        await asyncio.sleep(0)
    return queue.runs[number - 1]


async def test_copies_wait_for_the_first_and_share_one_run() -> None:
    shared, queue = SharedFills(), Queue()
    asking = [
        asyncio.create_task(text_of(shared.begin(ASKED, "me", queue.submit))) for _ in range(3)
    ]
    (await the_next_run(queue, 1)).finish()
    second = await the_next_run(queue, 2)
    assert second.request.n == 3
    second.finish()

    assert await asyncio.gather(*asking) == ["one", "two", "three"]
    assert len(queue.runs) == 2


async def test_who_comes_later_gets_what_nobody_has_yet() -> None:
    shared, queue = SharedFills(), Queue()
    asking = [
        asyncio.create_task(text_of(shared.begin(ASKED, "me", queue.submit))) for _ in range(2)
    ]
    (await the_next_run(queue, 1)).finish()
    second = await the_next_run(queue, 2)
    asking.append(asyncio.create_task(text_of(shared.begin(ASKED, "me", queue.submit))))
    await asyncio.sleep(0)
    second.finish()
    (await the_next_run(queue, 3)).finish()

    assert await asyncio.gather(*asking) == ["one", "two", "three"]


async def test_what_is_over_begins_anew() -> None:
    shared, queue = SharedFills(), Queue()
    for number in (1, 2):
        asking = asyncio.create_task(text_of(shared.begin(ASKED, "me", queue.submit)))
        (await the_next_run(queue, number)).finish()
        assert await asking == "one"
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    assert [run.request.n for run in queue.runs] == [1, 1]


async def test_different_callers_share_nothing() -> None:
    shared, queue = SharedFills(), Queue()
    shared.begin(ASKED, "ann", queue.submit)
    shared.begin(ASKED, "bob", queue.submit)

    assert len(queue.runs) == 2


async def test_a_first_that_leaves_does_not_take_its_answer_along() -> None:
    shared, queue = SharedFills(), Queue()
    first = shared.begin(ASKED, "me", queue.submit)
    copy = asyncio.create_task(text_of(shared.begin(ASKED, "me", queue.submit)))
    await asyncio.sleep(0)
    first.cancel()
    (await the_next_run(queue, 2)).finish()

    assert queue.runs[0].cancelled
    assert await copy == "one"


async def test_a_run_that_no_copy_waits_for_any_more_is_stopped() -> None:
    shared, queue = SharedFills(), Queue()
    first = asyncio.create_task(text_of(shared.begin(ASKED, "me", queue.submit)))
    copy = asyncio.create_task(text_of(shared.begin(ASKED, "me", queue.submit)))
    (await the_next_run(queue, 1)).finish()
    second = await the_next_run(queue, 2)
    copy.cancel()
    await first
    while not second.cancelled:
        await asyncio.sleep(0)

    fresh = shared.begin(ASKED, "me", queue.submit)
    await the_next_run(queue, 3)
    fresh.cancel()


async def test_a_run_that_fails_fails_all_copies() -> None:
    shared, queue = SharedFills(), Queue()
    asking = [
        asyncio.create_task(text_of(shared.begin(ASKED, "me", queue.submit))) for _ in range(3)
    ]
    (await the_next_run(queue, 1)).finish()
    (await the_next_run(queue, 2)).outcome.set_exception(MidfillError("broken"))
    outcomes = await asyncio.gather(*asking, return_exceptions=True)

    assert outcomes[0] == "one"
    assert [str(outcome) for outcome in outcomes[1:]] == ["broken", "broken"]


async def test_copies_of_which_there_are_too_many_get_the_first_again() -> None:
    shared, queue = SharedFills(), Queue()
    asking = [
        asyncio.create_task(text_of(shared.begin(ASKED, "me", queue.submit))) for _ in range(10)
    ]
    (await the_next_run(queue, 1)).finish()
    second = await the_next_run(queue, 2)
    assert second.request.n == 8
    second.finish()

    assert set(await asyncio.gather(*asking)) == set(TEXTS)


async def test_only_so_many_copies_may_wait() -> None:
    shared, queue = SharedFills(), Queue()
    waiting = [shared.begin(ASKED, "me", queue.submit) for _ in range(1 + MOST_WAITING)]

    with pytest.raises(QueueFull):
        shared.begin(ASKED, "me", queue.submit)
    for one in reversed(waiting):
        one.cancel()


async def test_a_full_queue_refuses_first_and_copies() -> None:
    shared, queue = SharedFills(), Queue()
    first = asyncio.create_task(text_of(shared.begin(ASKED, "me", queue.submit)))
    copy = asyncio.create_task(text_of(shared.begin(ASKED, "me", queue.submit)))
    run = await the_next_run(queue, 1)
    queue.full = True
    run.finish()

    assert await first == "one"
    with pytest.raises(EngineBusy):
        await copy
    with pytest.raises(EngineBusy):
        shared.begin(InfillRequest(prefix="y"), "me", queue.submit)
