"""Figures with their spread, and suggestions paired request by request."""

from __future__ import annotations

import pytest
from bench_writers import FakeWriter, report_of
from hypothesis import given
from hypothesis import strategies as st

from midfill.inference.measuring.replay.comparing import same_text
from midfill.inference.measuring.replay.replaying import Answer
from midfill.inference.measuring.replay.statistics import distribution, speedup
from midfill.inference.measuring.replay.writer import Written

TIMES = st.floats(min_value=0.1, max_value=1e4)


def test_percentiles_of_known_values() -> None:
    found = distribution([float(n) for n in range(101)][::-1])

    assert found is not None
    assert (found.n, found.mean, found.median, found.p5, found.p95) == (101, 50, 50, 5, 95)
    assert distribution([]) is None


def test_a_speedup_is_of_the_sums() -> None:
    found = speedup({0: [(10.0, 20.0), (30.0, 30.0)], 1: [(10.0, 50.0)], 2: []})

    assert found is not None
    assert (found.n, found.lines) == (3, 2)
    assert found.speedup == pytest.approx(2.0)
    assert found.ours_ms == pytest.approx(50 / 3)
    assert found.theirs_ms == pytest.approx(100 / 3)
    assert found.low == pytest.approx(1.25)  # the first line drawn twice
    assert found.high == pytest.approx(5.0)


def test_a_single_line_has_no_interval() -> None:
    found = speedup({0: [(10.0, 20.0)] * 50})

    assert found is not None
    assert (found.speedup, found.low, found.high) == (2.0, None, None)
    assert speedup({0: []}) is None


@given(
    st.dictionaries(
        st.integers(), st.lists(st.tuples(TIMES, TIMES), min_size=1, max_size=4), min_size=2
    ),
    st.floats(min_value=0.5, max_value=3.0),
)
def test_the_interval_is_within_the_lines_and_scales(
    pairs: dict[int, list[tuple[float, float]]], factor: float
) -> None:
    found = speedup(pairs)
    scaled = speedup({n: [(a, factor * b) for a, b in line] for n, line in pairs.items()})

    assert found is not None
    assert scaled is not None
    assert found.low is not None
    assert found.high is not None
    assert scaled.low is not None
    ratios = [sum(b for _, b in line) / sum(a for a, _ in line) for line in pairs.values()]
    assert min(ratios) * 0.999 <= found.low <= found.high <= max(ratios) * 1.001
    assert scaled.low == pytest.approx(factor * found.low)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("a + b", "a + b", True),
        ("a + b ", "a + b\n", True),
        (" a", "a", False),
        ("", "", False),
        ("  ", "  ", False),
        ("a", "ab", False),
    ],
)
def test_the_same_text_is_the_same_visible_one(one: str, other: str, same: bool) -> None:
    assert same_text(Answer(Written(one, 1), False), Answer(Written(other, 1), True)) is same


def test_only_suggestions_with_the_same_text_are_compared_at_equal_text() -> None:
    flat = FakeWriter("flat", ms=20, text=lambda request: "no such thing")
    report = report_of([FakeWriter("midfill", ms=10), FakeWriter("twin", ms=30), flat])

    twin, other = report.comparisons
    assert twin.same_text == twin.all is not None
    assert twin.same_share == 1.0
    assert other.same_text is None
    assert other.same_share == 0.0
    assert other.all is not None
    assert other.all.speedup == pytest.approx(2.0)
    assert other.cold is not None
    assert other.warm is not None
    assert (other.cold.n, other.warm.n, other.all.n) == (3, 6, 9)
    assert other.held is not None
    assert other.held.n == 6  # where ours held, whatever the other suggested


def test_ours_is_set_against_the_llama_cpp_that_fares_best() -> None:
    writers = [
        FakeWriter("midfill", ms=10),
        FakeWriter("llama.cpp Q4_K_M", ms=40),
        FakeWriter("llama.cpp Q8_0", ms=30),
        FakeWriter("a server", ms=1),
    ]
    names = {"llama.cpp Q4_K_M": "Q4_K_M", "llama.cpp Q8_0": "Q8_0"}
    found = report_of(writers, quantisations=names).vs_llamacpp

    assert found is not None
    assert (found.quantisation, found.n) == ("Q8_0", 9)
    assert (found.ours_ms, found.theirs_ms) == (pytest.approx(10), pytest.approx(30))
    assert found.speedup == pytest.approx(3.0)
    assert report_of(writers).vs_llamacpp is None


def test_nothing_is_claimed_where_no_text_was_the_same() -> None:
    other = FakeWriter("llama.cpp Q4_0", text=lambda request: "")
    report = report_of([FakeWriter("midfill"), other], quantisations={other.name: "Q4_0"})

    assert report.vs_llamacpp is None
    assert report.comparisons[0].all is not None
