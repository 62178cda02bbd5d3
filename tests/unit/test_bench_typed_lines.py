"""The lines that are typed again, and what is asked on the way."""

from __future__ import annotations

import pytest
from bench_writers import CODE

from midfill.inference.errors import MidfillError, UsageError
from midfill.inference.measuring.replay.sources import SourceFile, standard_library
from midfill.inference.measuring.replay.typed_line import choose_lines, worth_typing
from midfill.inference.wire import Extent


def test_the_same_seed_chooses_the_same_lines() -> None:
    files = standard_library(("textwrap", "shlex"))

    assert choose_lines(files, 6, 3) == choose_lines(files, 6, 3)
    assert choose_lines(files, 6, 3) != choose_lines(files, 6, 4)


def test_files_give_lines_in_turn() -> None:
    lines = choose_lines(standard_library(("textwrap", "shlex")), 5, 0)

    names = [line.file.name for line in lines]
    assert names == ["textwrap.py", "shlex.py", "textwrap.py", "shlex.py", "textwrap.py"]


def test_a_line_has_the_number_that_an_editor_shows() -> None:
    for line in worth_typing(CODE):
        shown = CODE.text.split("\n")[line.number - 1]
        assert shown.strip() == CODE.text[line.start : line.end]


def test_prose_and_very_short_or_long_lines_are_not_typed() -> None:
    text = (
        '"""A module about nothing in particular.\n\nIt goes on for several lines of text.\n"""\n'
        "# a comment that is long enough\nx = 1\nvalue = compute(one, two)\n" + "y" * 200 + " = 3\n"
    )
    found = worth_typing(SourceFile("a.py", text))

    assert [text[line.start : line.end] for line in found] == ["value = compute(one, two)"]


def test_other_languages_and_line_breaks_have_lines_too() -> None:
    found = worth_typing(SourceFile("a.js", "const a = 1;\r\n  let total = sum(a, b);\r\n"))

    assert [(line.number, line.end - line.start) for line in found] == [(2, 22)]


def test_a_request_has_what_is_typed_and_not_the_rest_of_the_line() -> None:
    line = worth_typing(CODE)[5]
    whole = CODE.text[line.start : line.end]
    cold, warm = line.request(0), line.request(7)

    assert cold.prefix + whole + cold.suffix == CODE.text
    assert warm.prefix == cold.prefix + whole[:7]
    assert warm.suffix == cold.suffix
    assert warm.suffix.startswith("\n")
    assert warm.hole.extent is Extent.LINE
    assert (warm.hole.start, warm.hole.end) == (len(warm.prefix),) * 2


def test_it_is_asked_every_few_characters_but_never_at_the_lines_end() -> None:
    line = next(one for one in worth_typing(CODE) if one.end - one.start == 20)

    assert line.strokes(5, 100) == (0, 5, 10, 15)
    assert line.strokes(5, 2) == (0, 5, 10)
    assert line.strokes(100, 9) == (0,)


def test_nothing_to_type_is_an_error_of_one_line() -> None:
    with pytest.raises(UsageError, match="no file has a line of code"):
        choose_lines((SourceFile("a.py", "x = 1\n"),), 3, 0)
    with pytest.raises(MidfillError, match="--file"):
        standard_library(("sys", "no_such_module_here"))
