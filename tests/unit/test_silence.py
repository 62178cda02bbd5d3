"""What users are told of why there is nothing is true, and says what to do."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from faulty_source import AT_ONCE, NOTHING, FaultySource, snapshot

from midfill.inference.errors import EngineUnavailable
from midfill.inference.text.placeholders import placeholders_in
from midfill.inference.wire import EngineState, Final, Health, Limits, Stop
from midfill.lsp.filling_holes import HolesToFill
from midfill.lsp.manners import Manners
from midfill.lsp.reading_ahead import ReadingAhead
from midfill.lsp.settings import Settings
from midfill.lsp.silence import not_ready, nothing_left, snoozed
from midfill.lsp.suggestions import Suggestions

URI = "file:///a.py"


@pytest.fixture
async def source() -> FaultySource:
    return FaultySource()


@pytest.fixture
async def suggestions(source: FaultySource) -> Suggestions:
    return Suggestions(source, lambda snapshot: True, lambda snapshot: AT_ONCE)


async def test_every_silence_has_a_reason(suggestions: Suggestions, source: FaultySource) -> None:
    assert suggestions.why(URI, Manners()).code == "never-asked"
    source.ready = False
    await suggestions.answer(snapshot())
    assert suggestions.why(URI, Manners()).code == "not-ready"
    source.ready = True
    source.text = "  "
    await suggestions.answer(snapshot())
    assert suggestions.why(URI, Manners()).code == "nothing-visible"
    source.failure = EngineUnavailable("no engine answers")
    await suggestions.answer(snapshot())
    assert "no engine answers" in str(suggestions.why(URI, Manners()))
    suggestions.stop(URI)
    assert suggestions.why(URI, Manners()).code == "never-asked"


async def test_after_a_suggestion_nobody_is_told_that_nothing_was_asked(
    suggestions: Suggestions,
) -> None:
    assert await suggestions.answer(snapshot()) != NOTHING
    assert suggestions.why(URI, Manners()).code == "shown"


# Half a call is a syntax error, and a lone mark a trifle: neither says anything of the whole.
@pytest.mark.parametrize("left", ["", "  ", "f(1))", ")"])
@pytest.mark.parametrize("minimum", [0.0, 0.5])
async def test_whoever_gets_nothing_as_time_ran_out_is_told_so_and_for_how_long_it_ran(
    source: FaultySource, left: str, minimum: float
) -> None:
    manners = replace(AT_ONCE, minimum_confidence=minimum)
    suggestions = Suggestions(source, lambda snapshot: True, lambda snapshot: manners)
    source.text, source.stop, source.confidence = left, Stop.DEADLINE, 0.0
    assert await suggestions.answer(snapshot()) == NOTHING
    why = suggestions.why(URI, Manners())
    assert why.code == "deadline"
    assert f"had {Limits().deadline_ms // 1000} s" in why.sentence
    assert "midfill doctor" in why.advice


async def test_what_time_cut_short_is_asked_for_again(
    suggestions: Suggestions, source: FaultySource
) -> None:
    source.text, source.stop = "compute", Stop.DEADLINE
    suggestions._ahead = ReadingAhead(pause=0)
    for calls in (1, 2):
        await suggestions.answer(snapshot())
        assert source.calls == calls


async def test_what_was_read_ahead_and_cut_short_is_not_believed_to_be_all(
    suggestions: Suggestions, source: FaultySource
) -> None:
    suggestions._ahead = ReadingAhead(pause=0)
    await suggestions.answer(snapshot("y = "))
    source.text, source.stop = "", Stop.DEADLINE
    while source.closed < 2:
        await asyncio.sleep(0)
    source.text, source.stop = "2", Stop.LINE_END
    suggestions.typed(URI)
    answer = await suggestions.answer(snapshot("y = 1"))
    assert [item.insert_text for item in answer.items] == ["2"]


@pytest.mark.parametrize(
    ("stop", "code", "words"),
    [
        (Stop.TOKEN_LIMIT, "token-limit", "within 9 tokens. Raise midfill.maximumTokens"),
        (Stop.REFUSED, "refused", "another form"),
        (Stop.END_TOKEN, "nothing-visible", "nothing is missing here"),
        (Stop.SUFFIX, "nothing-visible", "nothing is missing here"),
    ],
)
async def test_an_empty_fill_is_explained_by_what_ended_it(
    source: FaultySource, stop: Stop, code: str, words: str
) -> None:
    manners = replace(AT_ONCE, tokens=9)
    suggestions = Suggestions(source, lambda snapshot: True, lambda snapshot: manners)
    source.text, source.stop = "", stop
    assert await suggestions.answer(snapshot()) == NOTHING
    assert suggestions.why(URI, Manners()).code == code
    assert words in str(suggestions.why(URI, Manners()))


@pytest.mark.parametrize("stop", Stop)
def test_no_other_end_than_these_is_blamed_on_a_limit(stop: Stop) -> None:
    limits = {Stop.DEADLINE: "deadline", Stop.TOKEN_LIMIT: "token-limit", Stop.REFUSED: "refused"}
    assert nothing_left(stop, Limits()).code == limits.get(stop, "nothing-visible")


@pytest.mark.parametrize(
    ("state", "detail", "words"),
    [
        (EngineState.LOADING, "reading weights", "not ready yet: reading weights. Try again"),
        (EngineState.LOADING, "", "not ready yet. Try again"),
        (EngineState.IDLE, "", "was not in memory, and is being loaded"),
        (EngineState.DRAINING, "", "making way for a new one"),
        (EngineState.FAILED, "no weights here.", "no weights here. See `midfill doctor`."),
        (EngineState.FAILED, "it went; `midfill doctor` may know why", "may know why."),
    ],
)
async def test_an_engine_that_is_not_ready_is_explained_by_what_it_says_itself(
    suggestions: Suggestions, source: FaultySource, state: EngineState, detail: str, words: str
) -> None:
    source.ready = False
    source.health = Health(version="1", model="embedded", state=state, detail=detail, pid=1)
    await suggestions.answer(snapshot())
    said = str(suggestions.why(URI, Manners()))
    assert words in said
    assert ("loaded" in said) == (state is EngineState.IDLE)
    assert said.count("midfill doctor") == (state is EngineState.FAILED)


def test_before_the_engine_has_said_anything_it_is_not_blamed() -> None:
    assert str(not_ready(None)) == "The model is not ready yet. Try again in a moment."


@pytest.mark.parametrize(
    ("settings", "advice"),
    [
        (Settings(mode="subtle", delay=0), 'Set midfill.mode to "eager"'),
        (
            Settings(mode="subtle", minimum_confidence=0.9, delay=0),
            "Lower midfill.minimumConfidence",
        ),
        (Settings(minimum_confidence=0.9, delay=0), "Lower midfill.minimumConfidence"),
    ],
)
async def test_the_advice_on_an_unlikely_fill_is_to_change_what_kept_it_back(
    source: FaultySource, settings: Settings, advice: str
) -> None:
    suggestions = Suggestions(source, lambda snapshot: True, lambda _: Manners.of(settings))
    source.confidence = 0.4
    assert await suggestions.answer(snapshot()) == NOTHING
    assert suggestions.why(URI, Manners()).code == "unlikely"
    assert advice in suggestions.why(URI, Manners()).advice


@pytest.mark.parametrize(("text", "helps"), [("x = '\ud800", False), ("", True)])
async def test_asking_by_hand_is_advised_only_where_it_helps(
    suggestions: Suggestions, text: str, helps: bool
) -> None:
    unasked = snapshot(text)
    assert await suggestions.answer(unasked) == NOTHING
    assert ("by hand" in suggestions.why(URI, Manners()).advice) == helps
    answer = await suggestions.answer(replace(unasked, invoked=True))
    assert (answer != NOTHING) == helps


async def test_an_answer_that_the_document_has_outrun_is_not_counted_as_superseded(
    source: FaultySource,
) -> None:
    suggestions = Suggestions(source, lambda snapshot: False, lambda snapshot: AT_ONCE)
    assert await suggestions.answer(snapshot()) is None
    assert suggestions.counts["outdated"] == 1
    assert suggestions.counts["superseded"] == 0


@pytest.mark.parametrize(
    ("left", "words"), [(4.8, "5 more minutes"), (1.2, "2 more minutes"), (0.2, "a minute")]
)
def test_a_pause_says_how_long_it_lasts(left: float, words: str) -> None:
    assert words in str(snoozed(left))


def test_a_placeholder_that_stays_says_whether_time_ran_out() -> None:
    text = "a = ___\nb = ___\n"
    filling = HolesToFill(text, placeholders_in(text))
    for stop in (Stop.DEADLINE, Stop.END_TOKEN):
        request = filling.request()
        filling.put(Final(text="", confidence=0, stop=stop, model="m", tokens=0, steps=0))
    late, nothing = filling.unfilled.values()
    assert f"had {request.limits.deadline_ms // 1000} s" in late.sentence
    assert nothing.code == "nothing-visible"
