"""What is handed back of what was written in a hole, and how sure it is."""

from __future__ import annotations

from math import exp, log

import pytest
from hypothesis import given
from hypothesis import strategies as st

from midfill.inference.fillers.finishing import Middle, certainty, finished, is_new, starts_of
from midfill.inference.fillers.hole_text import HoleText
from midfill.inference.wire import Extent, Stop


def around(prefix: str = "x = ", suffix: str = "\ny = 2\n", replaced: str = "") -> HoleText:
    return HoleText(prefix, suffix, replaced, "\n")


def middle(text: str, stop: Stop = Stop.FILLED, **fields: object) -> Middle:
    return Middle(text, stop, tokens=4, steps=2, **fields)  # type: ignore[arg-type]


def test_a_line_ends_with_its_line() -> None:
    done = finished(middle("1\nz = 3"), around(), Extent.LINE)

    assert (done.text, done.stop) == ("1", Stop.LINE_END)


def test_what_repeats_the_line_behind_is_cut_off() -> None:
    done = finished(middle("1\ny = 2\n"), around(), Extent.LINES)

    assert (done.text, done.stop) == ("1", Stop.SUFFIX)


def test_what_leads_up_to_the_rest_of_the_line_is_left_alone() -> None:
    done = finished(middle("a, b"), around("f(", ")\n"), Extent.LINE)

    assert (done.text, done.stop) == ("a, b", Stop.FILLED)


def test_a_closed_bracket_that_stands_there_already_is_cut_off() -> None:
    done = finished(middle("a, b)"), around("f(", ")\n"), Extent.LINE)

    assert done.text == "a, b"


def test_whole_lines_bring_their_own_break_where_they_replace_one() -> None:
    done = finished(middle("x = 1"), around("", "y = 2\n", "x = 0\n"), Extent.LINES)

    assert done.text == "x = 1\n"


def test_what_a_deadline_leaves_half_written_is_dropped() -> None:
    done = finished(middle("alpha + bet", Stop.DEADLINE), around(), Extent.LINE)

    assert (done.text, done.stop) == ("alpha +", Stop.DEADLINE)


def test_of_a_refused_answer_nothing_is_used() -> None:
    assert finished(middle("1", Stop.REFUSED), around(), Extent.LINE).text == ""


def test_only_what_is_kept_and_the_token_behind_it_count() -> None:
    pieces = [b"1", b"\n", b"zz", b"zz"]
    written = middle(
        "1\nzzzz", log_probabilities=(log(0.8), log(0.2), -9.0, -9.0), starts=starts_of(pieces)
    )

    done = finished(written, around(), Extent.LINE)

    assert done.log_probabilities == (log(0.8), log(0.2))
    assert certainty(done.log_probabilities) == pytest.approx(exp((log(0.8) + log(0.2)) / 2))


def test_tokens_begin_with_the_character_they_are_part_of() -> None:
    snowman = "☃".encode()

    assert starts_of([b"ab", snowman[:1], snowman[1:], b"c"]) == (0, 2, 2, 3)
    assert starts_of([b"re", b"turn", b" x"], skipped=4) == (0, 0, 2)


def test_what_a_terminal_would_obey_is_dropped() -> None:
    written = middle("\x1b]0;pwned\x07a\x00 =\t\x9b31m1\x7f\r\n    b\rc = 漢\x0c")

    done = finished(written, around(prefix="", suffix=""), Extent.LINES)

    assert done.text == "]0;pwneda =\t31m1\n    b\nc = 漢"


@given(st.text(alphabet=st.characters(max_codepoint=0xFF)), st.sampled_from(Extent))
def test_no_control_character_is_ever_handed_back(text: str, extent: Extent) -> None:
    done = finished(middle(text), around(), extent)

    assert not [char for char in done.text if not char.isprintable() and char not in "\t\n\xa0\xad"]


def test_where_tokens_begin_is_known_also_when_characters_were_dropped() -> None:
    pieces = [b"\x1b\x1b[1m", b"1", b"\r\n", b"zz", b"zz"]
    chances = (log(0.9), log(0.8), log(0.2), -9.0, -9.0)
    written = middle("\x1b\x1b[1m1\r\nzzzz", log_probabilities=chances, starts=starts_of(pieces))

    done = finished(written, around(), Extent.LINE)

    assert done.text == "[1m1"
    assert done.starts == (0, 3, 4, 5, 7)
    assert done.log_probabilities == chances[:3]


def test_nothing_is_as_sure_as_nothing() -> None:
    assert certainty(()) == 0.0


def test_alternatives_are_whole_visible_and_new() -> None:
    assert is_new(middle("b"), [middle("a")])
    assert not is_new(middle(" a "), [middle("a")])
    assert not is_new(middle("  "), [middle("a")])
    assert not is_new(middle("b", Stop.DEADLINE), [middle("a")])
    assert not is_new(middle("b", Stop.REFUSED), [middle("a")])
