"""Ranking, deduplication, order and budget of what the model is to read besides the document."""

from __future__ import annotations

from context_workspace import functions, piece
from hypothesis import given
from hypothesis import strategies as st

from midfill.lsp.context.assembling import assemble, chosen, cost
from midfill.lsp.context.snippet import Stability
from midfill.lsp.context.words import similarity, words_of

FIRST, SECOND, THIRD = (functions(name, 1) for name in ("one", "two", "three"))

texts = st.sampled_from([functions(name, n) for name in "abcd" for n in (1, 2, 5)])
pieces = st.builds(
    piece,
    texts,
    st.floats(0, 1),
    st.sampled_from(Stability),
    st.sampled_from(["a.py", "b.py", "deep/er/c.py"]),
)


def test_the_best_pieces_are_taken_while_the_budget_lasts() -> None:
    poor, good, better = piece(FIRST, 0.1), piece(SECOND, 0.5), piece(THIRD, 0.6)

    files = assemble([poor, good, better], cost(good) + cost(better))

    assert {file.text for file in files} == {SECOND, THIRD}


def test_stable_pieces_stand_first_however_good_the_others_are() -> None:
    edited = piece(FIRST, 0.9, Stability.EDITED)
    visited = piece(SECOND, 0.5, Stability.VISITED)
    defined = piece(THIRD, 0.1, Stability.DEFINITIONS)

    taken = chosen([edited, visited, defined], 1000)

    assert [snippet.stability for snippet in taken] == [
        Stability.DEFINITIONS,
        Stability.VISITED,
        Stability.EDITED,
    ]


def test_another_score_alone_does_not_change_the_order() -> None:
    before = assemble([piece(FIRST, 0.5, path="x.py"), piece(SECOND, 0.4, path="b.py")], 1000)
    after = assemble([piece(FIRST, 0.3, path="x.py"), piece(SECOND, 0.4, path="b.py")], 1000)

    assert before == after


def test_of_two_pieces_that_say_the_same_the_better_is_taken() -> None:
    one, other = piece(FIRST, 0.4, path="copy.py"), piece(FIRST + "\n", 0.6)

    assert [file.path for file in assemble([one, other], 1000)] == ["a.py"]


def test_what_stands_around_the_cursor_is_not_shown_again() -> None:
    near = words_of(FIRST)

    files = assemble([piece(FIRST, 0.9), piece(SECOND, 0.1)], 1000, near)

    assert [file.text for file in files] == [SECOND]


def test_what_defines_the_names_around_the_cursor_is_shown_all_the_same() -> None:
    defined = piece(FIRST, stability=Stability.DEFINITIONS)

    assert len(assemble([defined], 1000, words_of(FIRST))) == 1


def test_a_piece_that_does_not_fit_is_cut_at_the_end_of_a_line() -> None:
    text = functions("long", 10)

    (file,) = assemble([piece(text)], 100)

    assert text.startswith(file.text)
    assert text[len(file.text)] == "\n"
    assert cost(piece(file.text)) <= 100


def test_less_than_three_lines_of_a_piece_are_not_worth_showing() -> None:
    text = functions("long", 10)

    assert assemble([piece(text)], 15) == ()


def test_a_budget_of_nothing_gives_nothing() -> None:
    assert assemble([piece(FIRST)], 0) == ()


def test_only_pieces_that_would_be_taken_are_asked_for_whether_they_hold() -> None:
    asked = []

    def holds(snippet: object) -> bool:
        asked.append(snippet)
        return False

    fitting, too_large = piece(FIRST), piece(functions("large", 50).replace("\n", " "))
    assert chosen([fitting, too_large], 100, holds=holds) == ()
    assert asked == [fitting]


@given(st.lists(pieces, max_size=8), st.integers(0, 300), texts)
def test_budget_order_and_difference_hold_whatever_is_on_offer(
    offered: list, budget: int, around: str
) -> None:
    near = words_of(around)
    taken = chosen(offered, budget, near)

    assert sum(map(cost, taken)) <= budget
    assert [snippet.stability for snippet in taken] == sorted(
        snippet.stability for snippet in taken
    )
    assert all(
        similarity(snippet.words, near) <= 0.5
        for snippet in taken
        if snippet.stability is not Stability.DEFINITIONS
    )
    assert len({snippet.text for snippet in taken}) == len(taken)
    assert taken == chosen(reversed(offered), budget, near)


@given(st.sets(st.text()), st.sets(st.text()))
def test_similarity_is_between_nothing_and_everything(a: set[str], b: set[str]) -> None:
    assert 0 <= similarity(a, b) <= 1
    assert similarity(a, b) == similarity(b, a)
    assert similarity(a, a) == bool(a)


def test_text_without_a_utf_8_form_is_left_out_and_spoils_nothing() -> None:
    files = assemble([piece(FIRST + "\ud800", 0.9), piece(SECOND, 0.1)], 1000)

    assert [file.text for file in files] == [SECOND]
