"""What followed the last time that the same tokens stood there."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from midfill.inference.lookup import GRAM, LONGEST_MATCH, Lookup

TOKENS = st.lists(st.integers(0, 3), max_size=60)


def test_what_followed_the_end_elsewhere_is_found() -> None:
    assert Lookup([1, 2, 3, 4, 5, 9, 1, 2, 3]).continuation((), 2) == (4, 5)


def test_an_end_that_stands_nowhere_else_has_no_continuation() -> None:
    assert Lookup([1, 2, 3, 4, 5, 6]).continuation((), 4) == ()
    assert Lookup([1, 2]).continuation((), 4) == ()
    assert Lookup([]).continuation((), 4) == ()


def test_the_longest_match_wins_over_a_later_one() -> None:
    tokens = [7, 1, 2, 3, 40, 8, 1, 2, 3, 50, 7, 1, 2, 3]
    assert Lookup(tokens).continuation((), 1) == (40,)


def test_of_equal_matches_the_latest_wins() -> None:
    tokens = [7, 1, 2, 3, 40, 7, 1, 2, 3, 50, 7, 1, 2, 3]
    assert Lookup(tokens).continuation((), 1) == (50,)


def test_guesses_are_read_on_but_not_remembered() -> None:
    lookup = Lookup([1, 2, 3, 4, 5, 9, 1])
    assert lookup.continuation((2, 3), 2) == (4, 5)
    assert lookup.continuation((2, 8), 2) == ()
    assert lookup.continuation((), 2) == ()


def test_what_is_appended_is_found_from_then_on() -> None:
    lookup = Lookup([1, 2, 3])
    lookup.append([4, 1, 2, 3])
    assert lookup.continuation((), 3) == (4, 1, 2)


def test_a_shorter_match_will_do_where_it_is_known_how_what_follows_begins() -> None:
    lookup = Lookup([1, 2, 40, 41, 9, 1, 2, 50, 51, 8, 1, 2])
    assert lookup.continuation((), 2) == ()
    assert lookup.continuation((), 2, lambda tokens: tokens[0] == 40) == (40, 41)
    assert lookup.continuation((), 2, lambda tokens: tokens[0] == 50) == (50, 51)
    assert lookup.continuation((), 2, lambda tokens: tokens[0] == 60) == ()


@given(TOKENS, st.lists(st.integers(0, 3), max_size=4), st.integers(0, 6))
def test_what_is_found_stands_behind_a_copy_of_the_end(
    tokens: list[int], supposed: list[int], most: int
) -> None:
    found = Lookup(tokens).continuation(supposed, most)
    end = [*tokens, *supposed]

    assert len(found) <= most
    if found:
        run = (*end[-GRAM:], *found)
        starts = range(len(tokens) - len(run) + 1)
        assert any(tuple(tokens[start : start + len(run)]) == run for start in starts)


@given(TOKENS, st.lists(TOKENS, max_size=5))
def test_it_does_not_matter_in_how_many_pieces_tokens_come(
    first: list[int], pieces: list[list[int]]
) -> None:
    grown = Lookup(first)
    for piece in pieces:
        grown.append(piece)
    whole = Lookup([*first, *(token for piece in pieces for token in piece)])
    assert grown.continuation((), 5) == whole.continuation((), 5)


def test_a_match_is_followed_back_no_further_than_it_says_something() -> None:
    run = list(range(100, 100 + LONGEST_MATCH + 20))
    tokens = [*run, 1, 5, *run[10:], 2, 6, *run]
    assert Lookup(tokens).continuation((), 1) == (2,)
