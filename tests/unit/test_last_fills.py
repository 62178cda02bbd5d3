"""What is left of the last fills when some of them is typed."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from midfill.inference.last_fills import KEY_CHARACTERS, MOST, LastFills

TEXT = st.text("ab\n", max_size=8)


def noted(*pairs: tuple[str, str]) -> LastFills:
    fills = LastFills()
    for prefix, written in pairs:
        fills.note(prefix, written)
    return fills


def test_what_was_typed_is_taken_off_the_front() -> None:
    fills = noted(("x = ", "foo(1)\n"))
    assert fills.left("x = ") == "foo(1)\n"
    assert fills.left("x = fo") == "o(1)\n"


def test_nothing_is_left_of_what_is_typed_out_or_was_not_wanted() -> None:
    fills = noted(("x = ", "foo(1)\n"))
    assert fills.left("x = foo(1)\n") == ""
    assert fills.left("x = b") == ""
    assert fills.left("y = fo") == ""
    assert LastFills().left("x") == ""


def test_the_latest_fill_at_a_place_counts() -> None:
    assert noted(("x = ", "foo\n"), ("x = ", "bar\n")).left("x = b") == "ar\n"
    assert noted(("x = ", "foo\n"), ("x = f", "unny\n")).left("x = fu") == "nny\n"


def test_only_the_text_right_in_front_tells_places_apart() -> None:
    same = "s" * KEY_CHARACTERS
    assert noted(("one" + same, "foo")).left("two" + same + "f") == "oo"
    assert noted(("one" + same[1:], "foo")).left("two" + same[1:] + "f") == ""


def test_old_fills_are_forgotten() -> None:
    fills = noted(*((f"{number} = ", "foo") for number in range(MOST + 1)))
    assert fills.left("0 = ") == ""
    assert fills.left("1 = ") == "foo"
    fills.clear()
    assert fills.left("1 = ") == ""


def test_fills_of_one_caller_are_nothing_to_another() -> None:
    fills = LastFills()
    fills.note("x = ", "foo", "ann")
    fills.note("x = ", "bar", "bob")
    assert [fills.left("x = ", name) for name in ("ann", "bob", "cid")] == ["foo", "bar", ""]
    fills.forget("ann")
    assert [fills.left("x = ", name) for name in ("ann", "bob")] == ["", "bar"]


@given(st.lists(st.tuples(TEXT, TEXT), max_size=5), TEXT)
def test_what_is_left_completes_a_fill_of_which_the_rest_is_typed(
    pairs: list[tuple[str, str]], prefix: str
) -> None:
    left = noted(*pairs).left(prefix)
    if left:
        assert any(prefix + left == before + written for before, written in pairs)
