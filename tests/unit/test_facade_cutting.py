from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from midfill.inference.service.facade.cutting import Cut, Cuts
from midfill.inference.service.facade.markers import ALL

text = st.text(st.sampled_from("ab;\r\n <|fim_prex>"), max_size=60)
stops = st.lists(st.text(st.sampled_from("ab;\n"), min_size=1, max_size=3), max_size=3).map(tuple)


def test_the_stop_string_that_is_complete_first_ends_the_text() -> None:
    assert Cuts(("1;b", ";")).apply("a = 1;b") == Cut("a = 1", ";", ended=True)
    assert Cuts((";", "\n\n")).apply("a = 1\n\nb;") == Cut("a = 1", "\n\n", ended=True)
    assert Cuts((";",)).apply("a = 1") == Cut("a = 1")


@pytest.mark.parametrize("marker", ALL)
def test_no_marker_is_ever_let_through(marker: str) -> None:
    assert Cuts().apply(f"x = 1{marker}y") == Cut("x = 1", ended=True)


def test_a_line_that_is_indented_less_ends_the_text() -> None:
    written = "x = 1\n\n        y = 2\n    z = 3\n"

    assert Cuts(n_indent=8).apply(written).text == "x = 1\n\n        y = 2"
    assert Cuts(n_indent=4).apply(written).text == written


def test_a_windows_line_break_is_cut_off_as_a_whole() -> None:
    assert Cuts(("\n",)).apply("x = 1\r\ny").text == "x = 1"


@given(text, stops)
def test_cutting_leaves_a_beginning_without_what_ends_it(written: str, ends: tuple) -> None:
    cut = Cuts(ends).apply(written)

    assert written.startswith(cut.text)
    assert not any(end in cut.text for end in (*ends, *ALL))
    assert cut.ended == (cut.text != written)


@given(text, text, stops, st.integers(0, 3))
def test_what_is_settled_stays_whatever_follows(
    written: str, more: str, ends: tuple, n_indent: int
) -> None:
    cuts = Cuts(ends, n_indent)
    so_far = cuts.apply(written.rstrip())
    settled = so_far.text if so_far.ended else cuts.settled(so_far.text)

    assert cuts.apply(written + more).text.startswith(settled)
