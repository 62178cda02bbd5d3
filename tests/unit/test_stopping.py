"""The rules that find the end of the middle."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from midfill.inference.stopping import (
    Ending,
    Surroundings,
    dedent,
    end_of_line,
    end_of_statement,
    find_end,
    finished_part,
    repeated_suffix_line,
    rest_of_line,
)
from midfill.inference.wire import Extent, Stop

NOTHING_AROUND = Surroundings("", "", "")


def test_surroundings_are_the_holes_line_and_the_next_visible_one() -> None:
    around = Surroundings.of("a\n  x = ", "  \n\n   \n  y = 2  \nz")
    assert around == Surroundings("  x = ", "  ", "  y = 2")
    assert Surroundings.of("f(", ")  # so\nz") == Surroundings("f(", ")  # so", ")  # so")


@pytest.mark.parametrize(
    ("middle", "end"),
    [
        ("1 + 2\nprint", 5),
        ("\n    return 1\n", 13),
        ("  \n\n x\n", 6),
        ("1 + 2", None),
        ("\n\n", None),
    ],
)
def test_a_line_ends_at_the_first_break_behind_something_visible(
    middle: str, end: int | None
) -> None:
    assert end_of_line(middle, NOTHING_AROUND) == end


@pytest.mark.parametrize(
    ("middle", "end"),
    [
        ("x = 1\ny", 5),
        ("\n    x = 1\ny", 10),
        ("f(\n    a,\n)\ny", 11),
        ("x = {\n    'a)': [\n", None),
        ('f("(")\ny', 6),
        (")\ny", 1),
        ("f(", None),
    ],
)
def test_a_statement_ends_where_its_brackets_are_closed(middle: str, end: int | None) -> None:
    assert end_of_statement(middle, NOTHING_AROUND) == end


def test_a_block_ends_with_its_scope_even_if_something_follows() -> None:
    around = Surroundings.of("def f():\n    ", "\n\ndef g():\n", Extent.BLOCK)
    middle = "x = 1\n\n    return x\n\ndef h():\n"
    assert find_end(middle, around, Extent.BLOCK) == Ending(21, Stop.DEDENT)
    assert find_end(middle, around, Extent.LINES) is None


def test_a_closing_bracket_that_already_stands_there_ends_the_middle() -> None:
    around = Surroundings("print(", "):", "")
    assert rest_of_line("f(a), [b]) or", around) == len("f(a), [b]")
    assert rest_of_line("f(a", around) is None
    assert rest_of_line("x)", Surroundings("print(", " + 1", "")) is None


def test_a_line_that_ends_as_the_rest_does_ends_the_middle_before_it() -> None:
    around = Surroundings.of("    return ", "l / len(values)\n", Extent.LINES, "tota")
    assert rest_of_line("total / len(values)\n    x", around) == len("tota")


@pytest.mark.parametrize(
    ("prefix", "replaced", "suffix", "brings_break", "line_after"),
    [
        ("a\n", "b\n", "c\n", True, ""),
        ("a\n", "b\n", "\n\nc\n", True, ""),
        ("a\n", "", "c\n", True, ""),
        ("a\n", "", "\nc\n", False, ""),
        ("a\n    ", "", "\nc\n", False, ""),
        ("a\nf(", "x\ny", ")\n", False, ")"),
    ],
)
def test_a_middle_of_whole_lines_brings_its_break_where_none_stands(
    prefix: str, replaced: str, suffix: str, brings_break: bool, line_after: str
) -> None:
    around = Surroundings.of(prefix, suffix, Extent.LINES, replaced)
    assert (around.brings_break, around.line_after) == (brings_break, line_after)


def test_a_repeated_line_of_the_suffix_ends_the_middle_before_it() -> None:
    around = Surroundings.of("def f():\n    ", "\n    return total\n")
    middle = "total = 0\n    return total\n"
    assert repeated_suffix_line(middle, around) == middle.index("    return")
    assert repeated_suffix_line("total = 0\n    return tot", around) is None


def test_a_short_line_counts_only_at_the_same_indentation() -> None:
    around = Surroundings("", "", "  }")
    assert repeated_suffix_line("  if (x) {\n    }\n", around) is None
    assert repeated_suffix_line("  go();\n  }\n", around) == len("  go();\n")


def test_a_first_line_counts_together_with_what_stands_before_it() -> None:
    around = Surroundings("    ret", "", "    return total")
    assert repeated_suffix_line("urn total\n", around) == 0


@pytest.mark.parametrize(
    ("before", "middle", "end"),
    [
        ("    ", "a = 1\n    b = 2\nprint(a)", 16),
        ("    x = f(", "\n        1,\n    )\ny", 18),
        ("def f():", "\n    return 1\n\ndef g():", 15),
        ("", "a = 1\nb = 2\n", None),
        ("    ", "a = 1\n\n    b = 2\n", None),
        ("    ", 'x = """\nabc\n"""\n', None),
    ],
)
def test_a_dedent_out_of_the_holes_scope_ends_the_middle(
    before: str, middle: str, end: int | None
) -> None:
    assert dedent(middle, Surroundings(before, "", "")) == end


def test_the_earliest_end_wins() -> None:
    around = Surroundings.of("    ", "\nprint(a)\n")
    assert find_end("a = 1\nprint(a)\n", around, Extent.LINES) == Ending(6, Stop.SUFFIX)
    assert find_end("a = 1\nprint(a)\n", around, Extent.LINE) == Ending(5, Stop.LINE_END)


@pytest.mark.parametrize(
    ("middle", "extent", "kept"),
    [
        ("a = 1\n    b = comp", Extent.LINES, "a = 1"),
        ("    a = 1\n    b = 2\n", Extent.LINES, "    a = 1\n    b = 2"),
        ("foo(bar, ba", Extent.LINE, "foo(bar,"),
        ("foo(bar)", Extent.LINE, "foo(bar)"),
        ("half", Extent.LINE, "half"),
        ("", Extent.LINE, ""),
    ],
)
def test_a_middle_cut_short_keeps_its_finished_part(middle: str, extent: Extent, kept: str) -> None:
    assert finished_part(middle, extent) == kept


@given(
    middle=st.text("ab ():\n\t"),
    around=st.builds(Surroundings, *[st.text("ab ()", max_size=8)] * 3),
)
def test_an_end_lies_within_the_middle_and_stays_when_more_is_written(
    middle: str, around: Surroundings
) -> None:
    for extent in Extent:
        ending = find_end(middle, around, extent)
        if ending:
            assert 0 <= ending.at <= len(middle)
            later = find_end(middle + "a\nb", around, extent)
            assert later is not None
            assert later.at <= ending.at
