"""Where there is something to fill, and where there is not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from midfill.inference.syntax.place import Place
from midfill.inference.text.hole_at_cursor import (
    Hole,
    Multiline,
    NoHole,
    Reason,
    Wishes,
    extent_at,
    hole_at_cursor,
)
from midfill.inference.wire import Extent


def at_cursor(marked: str, *, explicit: bool = False) -> Hole | NoHole:
    """The hole at the ``|`` in a text."""
    offset = marked.index("|")
    return hole_at_cursor(marked.replace("|", "", 1), offset, explicit=explicit)


@pytest.mark.parametrize(
    "marked",
    [
        "x = |",
        "x = |\ny = 2\n",
        "x = |\r\nlong enough to be too much\r\n",
        "x = |\rlong enough to be too much\r",
        "def f():\n    |\n\nprint(f())\n",
        "print(|)\n",
        'print("|")\n',
        "call({'a': [|]})  ;\n",
        "f(a, |, b)\n",
        "if x|:\n",
        "total|   \n",
        "total = |  # sum\n",
        "<p>|</p>\n",
    ],
)
def test_a_line_is_filled_from_the_cursor_on(marked: str) -> None:
    hole = at_cursor(marked)
    assert isinstance(hole, Hole)
    assert (hole.start, hole.end) == (marked.index("|"), marked.index("|"))


@pytest.mark.parametrize(
    ("marked", "extent"),
    [
        ("x = |", Extent.LINE),
        ("def f():|\n", Extent.LINE),
        ("x = 1\n|\ny = 2\n", Extent.STATEMENT),
        ("def f():\n    x = 1\n    |\n", Extent.STATEMENT),
        ("def f():\n    |\n", Extent.BLOCK),
        ("def f():\n    |\n\nf()\n", Extent.BLOCK),
        ("def f():\r\n    |\r\n\r\nf()\r\n", Extent.BLOCK),
        ("function f() {\n\t|\n}\n", Extent.BLOCK),
        ("def f():\n    |\n    return x\n", Extent.STATEMENT),
        ("f(\n    |)\n", Extent.LINE),
    ],
)
def test_a_blank_line_gets_a_statement_and_an_empty_body_a_block(
    marked: str, extent: Extent
) -> None:
    hole = at_cursor(marked)
    assert isinstance(hole, Hole)
    assert hole.extent is extent


def test_one_line_is_all_there_is_if_several_are_never_wanted() -> None:
    assert extent_at("def f():\n    ", 13, Multiline.NEVER) is Extent.LINE
    assert extent_at("x = 1\n", 6, Multiline.ALWAYS) is Extent.BLOCK


@pytest.mark.parametrize(
    ("place", "wishes", "reason"),
    [
        (Place.COMMENT, Wishes(comments=False), Reason.IN_COMMENT),
        (Place.STRING, Wishes(strings=False), Reason.IN_STRING),
    ],
)
def test_comments_and_strings_are_left_alone_if_so_wished(
    place: Place, wishes: Wishes, reason: Reason
) -> None:
    assert hole_at_cursor("x y", 3, place=lambda: place, wishes=wishes) == NoHole(reason)
    assert hole_at_cursor("x y", 3, place=lambda: place) == Hole(3, 3)
    assert hole_at_cursor("x y", 3, place=lambda: place, wishes=wishes, explicit=True) == Hole(3, 3)


def test_nothing_is_suggested_to_somebody_who_deletes() -> None:
    assert hole_at_cursor("x = ", 4, after_deletion=True) == NoHole(Reason.AFTER_DELETION)
    assert hole_at_cursor("x = ", 4, after_deletion=True, explicit=True) == Hole(4, 4)


@pytest.mark.parametrize(
    "marked", ["na|me = 1", "|name", "x = |1", "self.|_private", "gr|öße", "|汉字"]
)
def test_nothing_is_filled_inside_a_word(marked: str) -> None:
    assert at_cursor(marked) == NoHole(Reason.INSIDE_WORD)


@pytest.mark.parametrize(
    "marked", ["total = | + other_total\n", "x = |  # a long comment\r\n", "f(|, first=second)\n"]
)
def test_nothing_is_filled_before_the_rest_of_a_line(marked: str) -> None:
    assert at_cursor(marked) == NoHole(Reason.REST_OF_LINE)


@pytest.mark.parametrize("marked", ["na|me = 1", "total = | + other_total\n", "|x = 1"])
def test_somebody_who_asks_is_not_refused_for_what_is_right_of_the_cursor(marked: str) -> None:
    assert at_cursor(marked, explicit=True) == Hole(marked.index("|"), marked.index("|"))


@pytest.mark.parametrize("explicit", [False, True])
@pytest.mark.parametrize("text", ["\ud800", "x\udfff", "汉\udc00"])
def test_a_text_with_a_lone_surrogate_is_refused(text: str, explicit: bool) -> None:
    assert hole_at_cursor(text, 0, explicit=explicit) == NoHole(Reason.LONE_SURROGATE)


@pytest.mark.parametrize("offset", [-1, 4])
def test_a_cursor_outside_the_text_is_a_mistake(offset: int) -> None:
    with pytest.raises(ValueError, match="outside"):
        hole_at_cursor("abc", offset)


def test_every_reason_is_told_in_a_sentence() -> None:
    assert all(reason.sentence.endswith(".") for reason in Reason)


@given(st.text(), st.data())
def test_a_hole_lies_in_the_text(text: str, data: st.DataObject) -> None:
    offset = data.draw(st.integers(0, len(text)))
    hole = hole_at_cursor(text, offset)
    if isinstance(hole, Hole):
        assert 0 <= hole.start <= offset <= hole.end <= len(text)


@pytest.mark.parametrize("text", ["", "  \n\t\n"])
def test_an_empty_document_is_left_alone_unless_somebody_asks(text: str) -> None:
    assert hole_at_cursor(text, 0) == NoHole(Reason.EMPTY_DOCUMENT)
    assert isinstance(hole_at_cursor(text, 0, explicit=True), Hole)
