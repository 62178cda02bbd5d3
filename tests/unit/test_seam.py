"""Where a fill meets what stands behind the hole."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from midfill.inference.text.seam import join_to_lines_below, join_to_rest_of_line


@pytest.mark.parametrize(
    ("fill", "rest", "joined"),
    [
        ("a + b  ", "", "a + b"),
        ("a, b)", ")", "a, b"),
        ("f(x)):", "):", "f(x)"),
        ("a, b", ")", None),
        ("name'", "'", "name"),
        ("a, b, c)", ", c)", "a, b"),
        ("x - 1", " + 1", None),
        ("x + 1", " + 1", "x "),
        ("a]", ")", None),
    ],
)
def test_a_line_leads_up_to_the_rest_that_stands_there(
    fill: str, rest: str, joined: str | None
) -> None:
    assert join_to_rest_of_line(fill, rest) == joined


@given(fill=st.text("ab()[], "), rest=st.text("ab()[], "))
def test_joining_only_ever_cuts(fill: str, rest: str) -> None:
    joined = join_to_rest_of_line(fill, rest)
    assert joined is None or fill.startswith(joined)


@pytest.mark.parametrize(
    ("fill", "after", "joined"),
    [
        ("a = 1\n    b = 2\n\n", "\nprint(a)", "a = 1\n    b = 2"),
        ("a = 1\n\n\n", "print(a)", "a = 1\n"),
        ("a = 1\n", "", "a = 1"),
        ("\n\n", "x", ""),
        ("a + ", "b", "a + "),
    ],
)
def test_lines_end_so_that_what_follows_follows_well(fill: str, after: str, joined: str) -> None:
    assert join_to_lines_below(fill, after) == joined
