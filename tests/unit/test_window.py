"""The window follows the cursor, but not every key."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from midfill.inference.text.window import (
    PREFIX_CHARACTERS,
    SUFFIX_CHARACTERS,
    Window,
    window_around,
)


def document(lines: int, width: int, line_break: str = "\n") -> str:
    return line_break.join(f"{number:0{width}}" for number in range(lines))


shapes = st.builds(
    document, st.integers(1, 4000), st.integers(1, 700), st.sampled_from(["\n", "\r\n", "\r"])
)


def test_a_small_document_is_sent_whole() -> None:
    assert window_around("before after", 7, 7) == Window("before ", "after")


def test_the_text_of_the_hole_is_not_sent() -> None:
    assert window_around("before HOLE after", 7, 11) == Window("before ", " after")


@given(shapes, st.data())
def test_the_window_is_the_text_around_the_hole(text: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, min(start + 100, len(text))))
    window = window_around(text, start, end)
    assert text[:start].endswith(window.prefix)
    assert text[end:].startswith(window.suffix)
    assert len(window.prefix) <= PREFIX_CHARACTERS
    assert len(window.suffix) <= SUFFIX_CHARACTERS
    assert len(window.prefix) >= min(start, PREFIX_CHARACTERS // 2)


@given(shapes, st.data())
def test_it_cuts_no_line_break_apart(text: str, data: st.DataObject) -> None:
    hole = data.draw(st.integers(0, len(text)))
    if text[max(hole - 1, 0) : hole + 1] == "\r\n":
        hole += 1
    window = window_around(text, hole, hole)
    first = hole - len(window.prefix)
    last = hole + len(window.suffix)
    assert text[max(first - 1, 0) : first + 1] != "\r\n"
    assert text[last - 1 : last + 1] != "\r\n" or last == 0


@pytest.mark.parametrize("width", [3, 40, 300, 3000, 100_000])
@pytest.mark.parametrize("line_break", ["\n", "\r\n"])
def test_typing_for_a_long_time_moves_the_start_only_a_few_times(
    width: int, line_break: str
) -> None:
    text = document(400_000 // (width + 1), width, line_break)
    typed = "x = some_call(of_a, function)\n" * 1000
    starts = []
    for count in range(0, len(typed), 61):
        prefix = window_around(text + typed[:count], len(text) + count, len(text) + count).prefix
        starts.append(len(text) + count - len(prefix))
    assert starts == sorted(starts)
    step = min(256 * (width + len(line_break)), 8 * 1024)
    assert len(set(starts)) <= 1 + len(typed) // step


def test_it_starts_at_the_start_of_a_line_whose_number_is_a_multiple_of_256() -> None:
    text = document(10_000, 40)
    prefix = window_around(text, len(text), len(text)).prefix
    assert int(prefix.partition("\n")[0]) % 256 == 0


def test_edits_within_lines_far_above_do_not_move_the_start() -> None:
    text = document(10_000, 40)
    prefix = window_around(text, len(text), len(text)).prefix
    edited = "# a comment on the first line " + text
    assert window_around(edited, len(edited), len(edited)).prefix == prefix


def test_one_enormous_line_is_cut_in_coarse_steps() -> None:
    text = "x" * 600_000
    starts = {
        cut - len(window_around(text, cut, cut).prefix) for cut in range(500_000, 516_000, 97)
    }
    assert len(starts) <= 2


def test_what_follows_the_hole_does_not_move_the_start() -> None:
    text = document(10_000, 40)
    middle = len(text) // 2
    before = window_around(text, middle, middle).prefix
    assert window_around(text[:middle] + "\n" * 1000, middle, middle).prefix == before


def test_it_cuts_no_surrogate_pair_apart() -> None:
    pair = "\ud83d\ude00"
    text = pair * 100_000
    for hole in (120_000, 120_002, 163_838):
        window = window_around(text, hole, hole)
        assert window.prefix[0] == pair[0]
        assert window.suffix[-1] == pair[1]
