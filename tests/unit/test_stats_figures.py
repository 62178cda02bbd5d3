"""What the records of suggestions add up to."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from midfill.lsp.acceptance.counted import Counted, Event
from midfill.lsp.acceptance.figures import figures, percentiles, rate
from midfill.lsp.acceptance.offer import Circumstances, Latency, Source, Trigger
from midfill.lsp.acceptance.outcome import Ending, Outcome
from midfill.lsp.acceptance.tables import in_percent, reason_in_words

NOON = 1_800_000_000.0 - 1_800_000_000 % 86_400 + 12 * 3600
CIRCUMSTANCES = Circumstances(
    NOON, "python", Trigger.AUTOMATIC, Source.ENGINE, 0.55, 1, 10, Latency(total=100.0)
)
OUTCOME = Outcome("key", CIRCUMSTANCES, Ending.REJECTED, 1.0)
ACCEPTED = replace(OUTCOME, ending=Ending.ACCEPTED, taken=8, typed=2, kept=1.0, exact=True)


def elsewhere(outcome: Outcome, **changes: object) -> Outcome:
    about = replace(outcome.circumstances, **changes)  # type: ignore[arg-type]
    return replace(outcome, circumstances=about)


def test_all_or_part_of_what_was_shown_counts_as_accepted() -> None:
    part = replace(OUTCOME, ending=Ending.PARTLY, taken=4)
    unseen = replace(OUTCOME, ending=Ending.UNSEEN)
    typed = replace(OUTCOME, ending=Ending.TYPED, typed=10)
    found = figures([ACCEPTED, part, typed, OUTCOME, unseen, unseen], [])
    assert found.all.shown == 4
    assert (found.all.acceptance.hits, found.all.acceptance.value) == (2, 0.5)
    assert found.endings["unseen"] == 2
    assert found.suggested == 40
    assert found.saved == 12
    assert found.typed == 12


def test_what_is_kept_is_weighed_by_what_was_saved() -> None:
    gone = replace(ACCEPTED, taken=24, kept=0.5, exact=False)
    unknown = replace(ACCEPTED, kept=None, exact=None)
    kept = figures([ACCEPTED, gone, unknown], []).kept
    assert kept.share == pytest.approx((8 + 12) / 32)
    assert (kept.exact.hits, kept.exact.cases) == (1, 2)


def test_languages_come_most_used_first() -> None:
    rust = elsewhere(ACCEPTED, language="rust")
    nameless = elsewhere(OUTCOME, language="")
    found = figures([rust, OUTCOME, OUTCOME, nameless], [])
    assert [(group.name, group.shown) for group in found.languages] == [
        ("python", 2),
        ("(none)", 1),
        ("rust", 1),
    ]
    assert [group.acceptance.hits for group in found.languages] == [0, 0, 1]


def test_hours_are_those_of_the_users_clock() -> None:
    early = elsewhere(OUTCOME, at=NOON - 3 * 3600)
    assert [group.name for group in figures([OUTCOME, early], [], UTC).hours] == ["09", "12"]
    east = timezone(timedelta(hours=13))
    assert [group.name for group in figures([OUTCOME], [], east).hours] == ["01"]


def test_confidence_is_counted_in_bands() -> None:
    sure = elsewhere(ACCEPTED, confidence=1.0)
    bands = figures([OUTCOME, sure, elsewhere(OUTCOME, confidence=0.0)], []).confidences
    assert [(band.name, band.acceptance.hits) for band in bands] == [
        ("0.0–0.1", 0),
        ("0.5–0.6", 0),
        ("0.9–1.0", 1),
    ]


def test_stages_are_those_of_the_engine_and_memory_is_apart() -> None:
    slow = elsewhere(OUTCOME, latency=Latency(wait=50, engine=250, total=300))
    known = elsewhere(OUTCOME, source=Source.MEMORY, latency=Latency(total=1.5))
    found = figures([OUTCOME, slow, known], [])
    assert found.latencies["total"].cases == 2
    assert found.latencies["total"].p50 == pytest.approx(200)
    assert found.memory is not None
    assert (found.memory.cases, found.memory.p95) == (1, 1.5)


def test_requests_and_reasons_add_up() -> None:
    counts = [
        Counted(1, "python", Event.ASKED, "", 5),
        Counted(2, "go", Event.ASKED, "", 2),
        Counted(2, "go", Event.KEPT_BACK, "unlikely", 1),
        Counted(1, "python", Event.KEPT_BACK, "snoozed", 3),
        Counted(3, "python", Event.KEPT_BACK, "unlikely", 1),
    ]
    found = figures([], counts)
    assert found.requests["asked"] == 7
    assert found.requests["kept-back"] == 5
    assert [*found.reasons.items()] == [("snoozed", 3), ("unlikely", 2)]
    assert not found.empty


def test_nothing_is_nothing() -> None:
    found = figures([], [])
    assert found.empty
    assert found.all.acceptance.value is None
    assert found.latencies == {}
    assert figures([OUTCOME], []).empty is False


def test_few_cases_have_an_interval_and_many_do_not() -> None:
    assert in_percent(rate(4, 10)) == "40% (17–69%)"
    assert in_percent(rate(40, 100)) == "40%"
    assert in_percent(rate(0, 0)) == "–"
    assert in_percent(rate(0, 5)) == "0% (0–43%)"
    assert in_percent(rate(5, 5)) == "100% (57–100%)"


@given(st.integers(0, 500), st.integers(1, 500))
def test_a_rate_lies_in_its_interval(hits: int, cases: int) -> None:
    hits = min(hits, cases)
    found = rate(hits, cases)
    assert found.low is not None
    assert found.value is not None
    assert found.high is not None
    assert 0 <= found.low <= found.value + 1e-12
    assert found.value - 1e-12 <= found.high <= 1


@given(st.lists(st.floats(0, 1e6), min_size=1))
def test_percentiles_lie_between_the_values_in_order(values: list[float]) -> None:
    found = percentiles(values)
    assert min(values) <= found.p50 <= found.p95 <= max(values)


def test_percentiles_of_a_hundred_and_one() -> None:
    found = percentiles([float(value) for value in range(101)])
    assert (found.cases, found.p50, found.p95) == (101, 50.0, 95.0)


@pytest.mark.parametrize(
    "code", ["unlikely", "snoozed", "inside-word", "trifle", "superseded", "manual"]
)
def test_reasons_are_told_in_words(code: str) -> None:
    assert reason_in_words(code).endswith(".")


def test_a_reason_that_nobody_knows_is_its_code() -> None:
    assert reason_in_words("of-the-future") == "of-the-future"
