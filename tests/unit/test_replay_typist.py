"""The person who replays a trace: their timing, and what they take of suggestions."""

from __future__ import annotations

from random import Random
from statistics import fmean

import pytest
from hypothesis import given
from hypothesis import strategies as st
from replay.accepting import Resumption, resume, still_wanted, taken_of
from replay.history import Revision
from replay.human import LONGEST, Moment, moment_of, reading_seconds
from replay.keys import Key
from replay.trace import Run, Stroke
from replay.tracing import trace_of

PROSE = "the quick brown fox jumps over a lazy dog while seven wizards boil some very strange soup "


def strokes(*keys: tuple[int, str]) -> tuple[Stroke, ...]:
    return tuple(Stroke(0.1, back, text) for back, text in keys)


def test_prose_is_typed_at_some_fifty_words_a_minute() -> None:
    trace = trace_of(Revision("a.md", "markdown", "c", "", PROSE * 40), seed=1)
    pauses = [stroke.seconds for run in trace.runs for stroke in run.strokes][1:]
    assert 48 < 60 / (5 * fmean(pauses)) < 56


def test_no_pause_is_longer_than_what_is_worth_measuring() -> None:
    random = Random(0)
    drawn = [Moment.NEW_PLACE.value.draw(random) for _ in range(2_000)]
    assert min(drawn) > 0
    assert max(drawn) == LONGEST


@pytest.mark.parametrize(
    ("before", "key", "moment"),
    [
        (None, Key(0, "a"), Moment.NEW_PLACE),
        (Key(0, "a"), Key(0, "b"), Moment.WITHIN_WORD),
        (Key(0, "a"), Key(0, "_"), Moment.WITHIN_WORD),
        (Key(0, "a"), Key(0, " "), Moment.WITHIN_WORD),
        (Key(0, " "), Key(0, "b"), Moment.WORD_START),
        (Key(0, "("), Key(0, "b"), Moment.WORD_START),
        (Key(0, "a"), Key(0, "("), Moment.SYMBOL),
        (Key(0, ":"), Key(0, "\n    "), Moment.LINE_BREAK),
        (Key(0, "\n    "), Key(0, "r"), Moment.LINE_START),
        (Key(0, "a"), Key(1, ""), Moment.DELETION),
        (Key(1, ""), Key(1, ""), Moment.NEXT_DELETION),
        (Key(1, ""), Key(0, "a"), Moment.WORD_START),
    ],
)
def test_what_is_typed_decides_the_pause(before: Key | None, key: Key, moment: Moment) -> None:
    assert moment_of(key, before) is moment


def test_a_suggestion_is_read_to_its_first_wrong_word() -> None:
    wrong_soon = reading_seconds("a = wrong and so on", "a = right")
    right = reading_seconds("a = right and so on", "a = right and so on")
    assert 0 < wrong_soon < right
    assert reading_seconds("word " * 500, "word " * 500) < 4


@pytest.mark.parametrize(
    ("suggestion", "wanted", "taken"),
    [
        ("return a", "return a\n", "return a"),
        ("return a", "return a + b", "return a"),
        ("return a", "return b", ""),
        ("return a", "return about", ""),
        ("return a", "return", ""),
        ("return a\nb = 1", "return a\nb = 2", "return a"),
        ("return a\nb = 1", "return a\nb = 1\n", "return a\nb = 1"),
        ("\n    return a\nb", "\n    return a\nc", "\n    return a"),
        ("return a\r\nb", "return a\r\nc", "return a"),
        (")", ")\n", ""),
        ("  ", "  x", ""),
        ("", "a", ""),
    ],
)
def test_the_right_beginning_of_a_suggestion_is_taken(
    suggestion: str, wanted: str, taken: str
) -> None:
    assert taken_of(suggestion, wanted) == taken


@given(st.text("ab \n", max_size=12), st.text("ab \n", max_size=12))
def test_nothing_wrong_is_ever_taken(suggestion: str, wanted: str) -> None:
    taken = taken_of(suggestion, wanted)
    assert suggestion.startswith(taken)
    assert wanted.startswith(taken)


RUN = Run(0, "old", strokes((3, ""), (0, "a"), (0, ":"), (0, "\n    "), (4, ""), (0, "b")))


def test_nothing_is_wanted_while_something_is_still_to_be_deleted() -> None:
    assert still_wanted(RUN, "old") is None
    assert still_wanted(RUN, "a:\n    ") is None
    assert still_wanted(RUN, "a:") == "\nb"


def test_strokes_that_a_suggestion_has_made_are_left_out() -> None:
    assert resume(RUN, 1, "a:") == Resumption(3, "")
    assert resume(RUN, 1, "a:\nb") == Resumption(6, "")


def test_the_editor_adds_the_indentation_behind_an_accepted_line_break() -> None:
    assert resume(RUN, 1, "a:\n") == Resumption(4, "    ")


@given(st.text("ab:\n ", max_size=20), st.data())
def test_after_any_acceptance_the_run_ends_as_wanted(written: str, data: st.DataObject) -> None:
    trace = trace_of(Revision("a.py", "python", "c", "x", "x" + written), seed=0)
    for run in trace.runs:
        states = run.states()
        number = data.draw(st.integers(0, len(run.strokes) - 1))
        wanted = still_wanted(run, states[number])
        if wanted is None:
            continue
        state = states[number] + wanted[: data.draw(st.integers(0, len(wanted)))]
        resumption = resume(run, number, state)
        assert number <= resumption.stroke
        state += resumption.owed
        for stroke in run.strokes[resumption.stroke :]:
            state = state[: len(state) - stroke.back] + stroke.text
        assert state == run.written


def test_a_state_off_the_way_is_refused() -> None:
    with pytest.raises(ValueError, match="not on the way"):
        resume(RUN, 1, "c")
