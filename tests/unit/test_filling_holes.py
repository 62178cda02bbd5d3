"""Holes that somebody has marked are found, filled in order, and never put in the wrong place."""

from __future__ import annotations

import pytest
from finals import fill
from hypothesis import given
from hypothesis import strategies as st

from midfill.inference.text.placeholders import Placeholder, placeholders_in
from midfill.inference.wire import Extent
from midfill.lsp.filling_holes import HolesToFill, Replacement, rebased, replaced


def marked(text: str) -> list[tuple[str, Extent]]:
    return [(text[p.start : p.end], p.extent) for p in placeholders_in(text)]


@pytest.mark.parametrize(
    ("text", "holes"),
    [
        ("def f():\n    ...\n", [("...", Extent.BLOCK)]),
        ("def f():\r\n    pass\r\n", [("pass", Extent.BLOCK)]),
        ("def f():\n    pass  # later\n", [("pass  # later", Extent.BLOCK)]),
        ('def f():\n    """Does it."""\n    pass\n', [("pass", Extent.BLOCK)]),
        ("x = ___ + ____\n", [("___", Extent.LINE), ("____", Extent.LINE)]),
        ("    // TODO: sum them up\n", [("// TODO: sum them up", Extent.BLOCK)]),
        ("# FIXME(me) do it\n", [("# FIXME(me) do it", Extent.BLOCK)]),
        ("function f() {\n  ...\n}\n", [("...", Extent.BLOCK)]),
        ("x[...]\nf(*a, ...)\n", []),
        ("for x in y:\n    f(x)\n    pass\n", []),
        ("__name__ = a___b\n", []),
        ("x = 1  # TODO later\n", []),
        ("const a = [...b]\n", []),
        ("", []),
    ],
)
def test_placeholders_are_what_people_leave_to_be_written(
    text: str, holes: list[tuple[str, Extent]]
) -> None:
    assert marked(text) == holes


def test_only_a_selection_is_looked_at() -> None:
    text = "a = ___\nb = ___\nc = ___\n"
    assert [p.start for p in placeholders_in(text, 8, 16)] == [12]
    assert placeholders_in(text, 5, 13) == []


def test_a_todo_keeps_its_words_and_the_code_goes_below_them() -> None:
    text = "def f(a):\r\n    # TODO: add one\r\n    return a\r\n"
    filling = HolesToFill(text, placeholders_in(text))
    request = filling.request()
    at = request.hole.start
    assert (request.prefix + request.suffix)[:at].endswith("    # add one\r\n    ")
    filling.put(fill("a += 1\r\n\r\n    return a"))
    assert filling.left == 0
    assert replaced(text, filling.replacements) == (
        "def f(a):\r\n    # add one\r\n    a += 1\r\n    return a\r\n"
    )


def test_each_hole_sees_the_fills_before_it_and_the_text_behind_it() -> None:
    text = "a = ___\nb = a + ___\n"
    filling = HolesToFill(text, placeholders_in(text))
    first = filling.request()
    assert first.prefix == "a = "
    assert first.suffix.endswith("\nb = a + \n")
    filling.put(fill("17"))
    second = filling.request()
    assert second.prefix == "a = 17\nb = a + "
    filling.put(fill("4"))
    assert replaced(text, filling.replacements) == "a = 17\nb = a + 4\n"


def test_a_hole_without_a_fill_stays_as_it_is() -> None:
    text = "a = ___\nb = ___\n"
    filling = HolesToFill(text, placeholders_in(text))
    filling.put(fill("  "))
    filling.put(fill("2"))
    assert replaced(text, filling.replacements) == "a = ___\nb = 2\n"
    assert list(filling.unfilled) == [Placeholder(4, 7, Extent.LINE)]


TEXT = st.text(alphabet="ab_. \n", max_size=30)


@given(TEXT, st.lists(st.sampled_from(["", "x", "long fill\n"]), max_size=10))
def test_what_is_no_placeholder_stays(text: str, fills: list[str]) -> None:
    holes = placeholders_in(text)
    filling = HolesToFill(text, holes)
    for words in fills[: len(holes)]:
        filling.request()
        filling.put(fill(words))
    result = replaced(text, filling.replacements)
    at, rest = 0, result
    for replacement in filling.replacements:
        between = text[at : replacement.start]
        assert rest.startswith(between + replacement.text)
        rest = rest[len(between) + len(replacement.text) :]
        at = replacement.end
    assert rest == text[at:]


@given(TEXT, TEXT, st.data())
def test_after_a_change_a_replacement_is_where_it_was_or_nowhere(
    old: str, inserted: str, data: st.DataObject
) -> None:
    start = data.draw(st.integers(0, len(old)))
    end = data.draw(st.integers(start, len(old)))
    hole_start = data.draw(st.integers(0, len(old)))
    hole_end = data.draw(st.integers(hole_start, len(old)))
    new = old[:start] + inserted + old[end:]
    for moved in rebased([Replacement(hole_start, hole_end, "F")], old, new):
        assert new[moved.start : moved.end] == old[hole_start:hole_end]
        same_before = new[: moved.start] == old[:hole_start]
        same_behind = new[moved.end :] == old[hole_end:]
        assert same_before or same_behind


def test_a_change_inside_a_hole_drops_its_replacement() -> None:
    hole = Replacement(4, 7, "1")
    assert rebased([hole], "a = ___\n", "a = _x_\n") == []
    assert rebased([hole], "a = ___\n", "#\na = ___\n") == [Replacement(6, 9, "1")]
    assert rebased([hole], "a = ___\nb\n", "a = ___\nc\n") == [hole]


def test_the_places_of_the_holes_that_are_left_are_known() -> None:
    text = "a = ___\nb = ____\n"
    filling = HolesToFill(text, placeholders_in(text))
    assert [text[start:end] for start, end in filling.places] == ["___", "____"]
    filling.put(fill("1"))
    assert [text[start:end] for start, end in filling.places] == ["____"]
