"""Every question gets an answer, whatever the engine does."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from faulty_source import AT_ONCE, NOTHING, FaultySource, snapshot

from midfill.inference.errors import EngineUnavailable
from midfill.lsp.manners import Manners
from midfill.lsp.reading_ahead import ReadingAhead
from midfill.lsp.settings import Settings
from midfill.lsp.suggestions import Suggestions

if TYPE_CHECKING:
    from lsprotocol import types

QUIETLY = Manners(delay=0, read_ahead=False)


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
    return Suggestions(source, lambda snapshot: True, lambda snapshot: AT_ONCE)


async def test_the_fill_is_suggested(suggestions: Suggestions) -> None:
    assert inserted(await suggestions.answer(snapshot())) == ["1"]


async def test_an_unlikely_fill_is_kept_back_from_whoever_did_not_ask(
    source: FaultySource,
) -> None:
    strict = Suggestions(
        source, lambda snapshot: True, lambda snapshot: Manners(minimum_confidence=0.6, delay=0)
    )
    assert inserted(await strict.answer(snapshot())) == ["1"]
    source.confidence = 0.5
    assert await strict.answer(snapshot("y = ")) == NOTHING
    assert strict.why("file:///a.py", Manners()).code == "unlikely"
    assert inserted(await strict.answer(replace(snapshot("y = "), invoked=True))) == ["1"]


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
    await suggestions.answer(snapshot("y = "))
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


async def test_typing_through_a_suggestion_asks_nothing(source: FaultySource) -> None:
    source.text = "compute(x)"
    suggestions = Suggestions(source, lambda snapshot: True, lambda snapshot: QUIETLY)
    assert inserted(await suggestions.answer(snapshot("y = "))) == ["compute(x)"]
    for typed in range(1, len(source.text)):
        suggestions.typed("file:///a.py")
        answer = await suggestions.answer(snapshot("y = " + source.text[:typed]))
        assert inserted(answer) == [source.text[typed:]]
    assert source.calls == 1
    await suggestions.answer(snapshot("y = compare"))
    assert source.calls == 2


async def test_what_follows_an_accepted_suggestion_is_there_at_once(source: FaultySource) -> None:
    suggestions = Suggestions(source, lambda snapshot: True, lambda snapshot: AT_ONCE)
    suggestions._ahead = ReadingAhead(pause=0)
    await suggestions.answer(snapshot("y = "))
    suggestions.typed("file:///a.py")  # the editor inserts the 1
    assert inserted(await suggestions.answer(snapshot("y = 1"))) == ["1"]
    assert (source.calls, suggestions.counts["known"]) == (2, 1)


async def test_reading_ahead_makes_way_for_whoever_types_something_else(
    source: FaultySource,
) -> None:
    suggestions = Suggestions(source, lambda snapshot: True, lambda snapshot: AT_ONCE)
    suggestions._ahead = ReadingAhead(pause=0)
    await suggestions.answer(snapshot("y = "))
    source.let_go.clear()
    await a_moment()
    assert (source.calls, source.closed) == (2, 1)
    answer = asyncio.create_task(suggestions.answer(snapshot("y = z")))
    await a_moment()
    assert (source.calls, source.closed) == (3, 2)
    source.let_go.set()
    assert inserted(await answer) == ["1"]


async def test_whoever_types_on_while_it_waits_never_reaches_the_engine(
    source: FaultySource,
) -> None:
    patient = Suggestions(source, lambda snapshot: True, lambda snapshot: Manners(delay=30))
    first = asyncio.create_task(patient.answer(snapshot("y = ")))
    await a_moment()
    patient.typed("file:///a.py")
    assert await first is None
    assert source.calls == 0
    assert inserted(await patient.answer(replace(snapshot("y = "), invoked=True))) == ["1"]


@pytest.mark.parametrize(
    ("manners", "code"),
    [
        (Manners.of(Settings(mode="manual", delay=0)), "manual"),
        (Manners.of(Settings(mode="subtle", delay=0)), "unlikely"),
    ],
)
async def test_the_mode_says_how_forward_suggestions_are(
    source: FaultySource, manners: Manners, code: str
) -> None:
    source.confidence = 0.4
    suggestions = Suggestions(source, lambda snapshot: True, lambda snapshot: manners)
    assert await suggestions.answer(snapshot()) == NOTHING
    assert suggestions.why("file:///a.py", manners).code == code
    assert inserted(await suggestions.answer(replace(snapshot(), invoked=True))) == ["1"]


@pytest.mark.parametrize(
    ("settings", "code"),
    [
        (Settings(mode="manual"), "manual"),
        (Settings(enabled=False), "disabled"),
        (Settings(), "never-asked"),
    ],
)
async def test_settings_explain_why_an_editor_has_not_asked_yet(
    suggestions: Suggestions, settings: Settings, code: str
) -> None:
    assert suggestions.why("file:///a.py", Manners.of(settings)).code == code


async def test_a_snooze_is_quiet_until_it_ends(suggestions: Suggestions) -> None:
    suggestions.snooze.begin(5)
    # though nobody has asked yet
    assert "5 more minutes" in str(suggestions.why("file:///a.py", Manners()))
    assert await suggestions.answer(snapshot()) == NOTHING
    assert "5 more minutes" in str(suggestions.why("file:///a.py", Manners()))
    suggestions.snooze.end()
    assert inserted(await suggestions.answer(snapshot())) == ["1"]


async def test_a_fill_that_breaks_the_syntax_is_not_shown(
    suggestions: Suggestions, source: FaultySource
) -> None:
    source.text = "f(1))"
    assert await suggestions.answer(snapshot()) == NOTHING
    assert "syntax" in str(suggestions.why("file:///a.py", Manners()))


async def test_a_single_mark_is_only_for_those_who_ask(
    suggestions: Suggestions, source: FaultySource
) -> None:
    source.text = ")"
    assert await suggestions.answer(snapshot("f(x")) == NOTHING
    assert suggestions.why("file:///a.py", Manners()).code == "trifle"
    by_hand = replace(snapshot("f(x"), invoked=True)
    assert inserted(await suggestions.answer(by_hand)) == [")"]
