"""Where a fill meets what stands behind the hole."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from midfill.inference.text.seam import before_unmatched, end_lines, join_to_rest_of_line


@pytest.mark.parametrize(
    ("fill", "rest", "joined"),
    [
        ("a + b  ", "", "a + b"),
        ("a, b)", ")", "a, b"),
        ("f(x)):", "):", "f(x)"),
        ("a, b", ")", None),
        ("name'", "'", "name"),
        ('\\"a"', '"', '\\"a'),
        ('f("(")', ")", None),
        ("f('(')):", "):", "f('(')"),
        ("a, b, c)", ", c)", "a, b"),
        ("x - 1", " + 1", None),
        ("x + 1", " + 1", "x"),
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
    ("fill", "closer", "at"),
    [
        ("'('))", ")", 3),
        ('":)")', ")", 4),
        ('":)', ")", None),
        ("don't)\n", ")", 5),
        ("f(x)", ")", None),
        ("]", ")", None),
    ],
)
def test_brackets_in_strings_close_nothing(fill: str, closer: str, at: int | None) -> None:
    assert before_unmatched(fill, closer) == at


@pytest.mark.parametrize(
    ("fill", "with_break", "ended"),
    [
        ("a = 1\n    b = 2\n\n", False, "a = 1\n    b = 2"),
        ("a = 1\n\n\n", True, "a = 1\n"),
        ("a = 1", True, "a = 1\n"),
        ("\n\n", True, ""),
    ],
)
def test_whole_lines_end_with_one_break_or_none(fill: str, with_break: bool, ended: str) -> None:
    assert end_lines(fill, with_break=with_break) == ended
