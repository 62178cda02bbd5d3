"""How long is waited, for somebody who types in their own way."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from midfill.lsp.rhythm import LONGEST_WAIT, USUAL_GAP, Rhythm, is_likely_place
from midfill.lsp.snooze import Snooze


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def typing(gap: float, keys: int = 30) -> tuple[Rhythm, Clock]:
    clock = Clock()
    rhythm = Rhythm(clock)
    for _ in range(keys):
        clock.now += gap
        rhythm.key()
    return rhythm, clock


def test_somebody_who_types_slowly_is_waited_for_longer() -> None:
    fast, _ = typing(0.06)
    slow, _ = typing(0.3)
    assert fast.wait(likely_place=True) < slow.wait(likely_place=True)


def test_inside_a_word_it_waits_longer_than_behind_one() -> None:
    rhythm, _ = typing(0.1)
    assert rhythm.wait(likely_place=True) < rhythm.wait(likely_place=False)


def test_what_the_engine_takes_anyway_is_not_waited_for_besides() -> None:
    rhythm, _ = typing(0.2)
    before = rhythm.wait(likely_place=False)
    for _ in range(20):
        rhythm.answered(0.15)
    assert rhythm.wait(likely_place=False) == pytest.approx(before - 0.15, abs=0.01)


def test_what_an_editor_has_waited_counts() -> None:
    rhythm, clock = typing(0.15)
    clock.now += 0.2
    assert rhythm.wait(likely_place=True) == 0


def test_pauses_say_nothing_about_the_rhythm() -> None:
    rhythm, clock = typing(0.1)
    clock.now += 60
    rhythm.key()
    assert rhythm.gap == pytest.approx(0.1)


def test_before_enough_is_typed_it_takes_the_usual() -> None:
    assert Rhythm(Clock()).gap == USUAL_GAP
    assert Rhythm(Clock()).wait(likely_place=True) == 0


@given(st.lists(st.floats(0, 1000)), st.lists(st.floats(0, 100)), st.booleans())
def test_no_wait_is_negative_or_long(
    gaps: list[float], latencies: list[float], likely_place: bool
) -> None:
    clock = Clock()
    rhythm = Rhythm(clock)
    for gap in gaps:
        clock.now += gap
        rhythm.key()
    for latency in latencies:
        rhythm.answered(latency)
    assert 0 <= rhythm.wait(likely_place=likely_place) <= LONGEST_WAIT


@pytest.mark.parametrize(
    ("before", "likely"), [("", True), ("(", True), (" ", True), ("a", False), ("_", False)]
)
def test_people_pause_between_words(before: str, likely: bool) -> None:
    assert is_likely_place(before) is likely


def test_a_snooze_ends_by_itself() -> None:
    clock = Clock()
    snooze = Snooze(clock)
    assert snooze.minutes_left == 0
    snooze.begin(2)
    clock.now += 60
    assert snooze.minutes_left == pytest.approx(1)
    clock.now += 61
    assert snooze.minutes_left == 0


@pytest.mark.parametrize("minutes", [0, -1, 1e9, float("nan")])
def test_a_snooze_is_no_longer_than_a_day(minutes: float) -> None:
    with pytest.raises(ValueError, match="minutes"):
        Snooze().begin(minutes)
