"""Every question gets an answer, whatever the engine does."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from lsprotocol import types

from midfill.inference.errors import EngineUnavailable
from midfill.inference.wire import Draft, Final, InfillRequest, Stop
from midfill.lsp.snapshot import Snapshot
from midfill.lsp.suggestions import Suggestions

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

NOTHING = types.InlineCompletionList([])


class FaultySource:
    """A source that hangs, fails or is not ready, as a test wants it."""

    def __init__(self) -> None:
        self.ready = True
        self.asked_to_load = 0
        self.calls = 0
        self.closed = 0
        self.let_go = asyncio.Event()
        self.let_go.set()
        self.failure: Exception | None = None
        self.confidence = 1.0

    async def infill(self, request: InfillRequest) -> AsyncGenerator[Draft | Final, None]:
        self.calls += 1
        try:
            yield Draft(text="")
            await self.let_go.wait()
            if self.failure:
                raise self.failure
            yield Final(
                text="1",
                confidence=self.confidence,
                stop=Stop.LINE_END,
                model="embedded",
                tokens=1,
                steps=1,
            )
        finally:
            self.closed += 1

    def ask_to_load(self) -> None:
        self.asked_to_load += 1


def snapshot(text: str = "x = ", uri: str = "file:///a.py") -> Snapshot:
    cursor = types.Position(0, len(text))
    return Snapshot(
        uri=uri,
        version=1,
        language="python",
        text=text,
        start=len(text),
        end=len(text),
        selected="",
        range=types.Range(cursor, cursor),
        invoked=False,
    )


def inserted(answer: types.InlineCompletionList | None) -> list[object]:
    assert answer is not None
    return [item.insert_text for item in answer.items]


async def a_moment() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


@pytest.fixture
async def source() -> FaultySource:
    return FaultySource()


@pytest.fixture
async def suggestions(source: FaultySource) -> Suggestions:
    return Suggestions(source, lambda snapshot: True)


async def test_the_fill_is_suggested(suggestions: Suggestions) -> None:
    assert inserted(await suggestions.answer(snapshot())) == ["1"]


async def test_an_unlikely_fill_is_kept_back_from_whoever_did_not_ask(
    source: FaultySource,
) -> None:
    strict = Suggestions(source, lambda snapshot: True, minimum_confidence=0.6)
    assert inserted(await strict.answer(snapshot())) == ["1"]
    source.confidence = 0.5
    assert await strict.answer(snapshot()) == NOTHING
    assert inserted(await strict.answer(replace(snapshot(), invoked=True))) == ["1"]


async def test_while_the_engine_is_not_ready_there_is_nothing_and_it_is_asked_to_load(
    suggestions: Suggestions, source: FaultySource
) -> None:
    source.ready = False
    assert await suggestions.answer(snapshot()) == NOTHING
    assert (source.calls, source.asked_to_load) == (0, 1)


async def test_where_there_is_nothing_to_fill_the_engine_is_left_alone(
    suggestions: Suggestions, source: FaultySource
) -> None:
    assert await suggestions.answer(snapshot("x = '\ud800")) == NOTHING
    assert (source.calls, source.asked_to_load) == (0, 0)


async def test_a_failure_is_no_suggestion_and_is_logged_once(
    suggestions: Suggestions, source: FaultySource, caplog: pytest.LogCaptureFixture
) -> None:
    source.failure = EngineUnavailable("no engine answers")
    for _ in range(3):
        assert await suggestions.answer(snapshot()) == NOTHING
    assert [record.getMessage() for record in caplog.records] == [
        "no suggestion: no engine answers"
    ]


async def test_after_a_failure_there_are_suggestions_again(
    suggestions: Suggestions, source: FaultySource, caplog: pytest.LogCaptureFixture
) -> None:
    source.failure = EngineUnavailable("no engine answers")
    await suggestions.answer(snapshot())
    source.failure = None
    assert inserted(await suggestions.answer(snapshot())) == ["1"]
    source.failure = EngineUnavailable("no engine answers")
    await suggestions.answer(snapshot())
    assert len(caplog.records) == 2


async def test_a_superseded_request_is_answered_with_null_and_its_work_is_given_up(
    suggestions: Suggestions, source: FaultySource
) -> None:
    source.let_go.clear()
    older = asyncio.create_task(suggestions.answer(snapshot()))
    await a_moment()
    newer = asyncio.create_task(suggestions.answer(snapshot()))
    assert await older is None
    assert source.closed == 1
    source.let_go.set()
    assert inserted(await newer) == ["1"]


async def test_two_documents_do_not_disturb_each_other(
    suggestions: Suggestions, source: FaultySource
) -> None:
    source.let_go.clear()
    one = asyncio.create_task(suggestions.answer(snapshot(uri="file:///a.py")))
    other = asyncio.create_task(suggestions.answer(snapshot(uri="file:///b.py")))
    await a_moment()
    source.let_go.set()
    assert inserted(await one) == inserted(await other) == ["1"]


async def test_a_cancelled_request_stays_cancelled_and_its_work_is_given_up(
    suggestions: Suggestions, source: FaultySource
) -> None:
    source.let_go.clear()
    request = asyncio.create_task(suggestions.answer(snapshot()))
    await a_moment()
    request.cancel()
    with pytest.raises(asyncio.CancelledError):
        await request
    assert source.closed == 1


async def test_a_change_of_the_document_gives_the_work_up(
    suggestions: Suggestions, source: FaultySource
) -> None:
    source.let_go.clear()
    request = asyncio.create_task(suggestions.answer(snapshot()))
    await a_moment()
    suggestions.stop("file:///a.py")
    assert await request is None
    assert source.closed == 1


async def test_an_answer_for_an_outdated_text_is_null(source: FaultySource) -> None:
    suggestions = Suggestions(source, lambda snapshot: False)
    assert await suggestions.answer(snapshot()) is None
