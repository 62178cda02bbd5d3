"""Token healing: what is taken back, and what may be written in its place."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from midfill.inference.healing import LONGEST_PIECE, Healing, Vocabulary, partial_piece

if TYPE_CHECKING:
    from midfill.inference.tokenizer import Tokenizer


WORDS = [b"", b" ", b" r", b" re", b" ret", b" return", b" returns", b"return", b"x", b"\n", b" y"]


@pytest.fixture(scope="module")
def vocabulary(tokenizer: Tokenizer) -> Vocabulary:
    return Vocabulary(tokenizer.vocabulary_bytes)


@pytest.mark.parametrize(
    ("text", "piece"),
    [
        ("    retu", " retu"),
        ("x = foo_ba", "_ba"),
        ("items.app", ".app"),
        ("items.", "."),
        ("f(", "("),
        ("if x:\n    ", "    "),
        ("\t\t", "\t\t"),
        ("x = ", " "),
        ("x = 1\n", ""),
        ("retu", "retu"),
        ("\nretu", "retu"),
        ("page1retu", "retu"),
        ("", ""),
        ("total /", " /"),
        ("x = (foo", "foo"),
        ("f(foo", "(foo"),
        ("don't", "'t"),
        ("x = 12", ""),
        (":\n", ""),
        ("字" * (LONGEST_PIECE + 1), ""),
    ],
)
def test_the_partial_piece_is_what_a_longer_token_could_swallow(
    tokenizer: Tokenizer, text: str, piece: str
) -> None:
    assert partial_piece(tokenizer, text) == piece


@given(st.text())
def test_the_partial_piece_is_an_end_of_the_text_and_never_breaks_a_line(
    tokenizer: Tokenizer, text: str
) -> None:
    piece = partial_piece(tokenizer, text)
    assert text.endswith(piece)
    assert not piece.endswith(("\n", "\r"))


@given(typed=st.text("ab _.(/=+'1", max_size=30), more=st.text("ab _.(/=+'1", max_size=10))
def test_the_context_that_is_left_stays_the_same_tokens_whatever_is_typed_next(
    tokenizer: Tokenizer, typed: str, more: str
) -> None:
    """What healing leaves is how the tokenizer begins the finished text, word by word."""
    piece = partial_piece(tokenizer, typed)
    left = tokenizer.encode(typed[: len(typed) - len(piece)])
    if piece:
        assert tokenizer.encode(typed + more)[: len(left)] == left


@given(st.sampled_from([b" retu", b" return", b" r", b" ", b"x", b"zz"]))
def test_agreeing_tokens_are_those_that_begin_with_the_text_or_begin_it(text: bytes) -> None:
    expected = {
        token
        for token, word in enumerate(WORDS)
        if word and (word.startswith(text) or text.startswith(word))
    }
    agreeing = Vocabulary(WORDS).agreeing(text).tolist()
    assert sorted(agreeing) == sorted(expected)


def test_only_what_spells_what_is_owed_is_permitted_and_behind_it_everything() -> None:
    healing = Healing(Vocabulary(WORDS), b" retu")
    held = [WORDS.index(b" re"), WORDS.index(b"x"), WORDS.index(b"x")]
    first, second = healing.permitted(held)
    assert {WORDS[token] for token in first.tolist()} == {
        *(b" ", b" r", b" re", b" ret", b" return", b" returns")
    }
    assert all(
        WORDS[token].startswith(b"tu") or b"tu".startswith(WORDS[token])
        for token in second.tolist()
    )
    assert len(healing.permitted([WORDS.index(b" return")])) == 1
    assert len(healing.permitted([])) == 1


def test_what_is_owed_shrinks_token_by_token_until_everything_is_free() -> None:
    healing = Healing(Vocabulary(WORDS), b" retu")
    halfway = healing.after(WORDS.index(b" re"))
    assert halfway.owed == b"tu"
    assert healing.after(WORDS.index(b" return")).owed == b""
    free = healing.after(WORDS.index(b" returns"))
    assert free.permitted([0, 1]) == []


@given(prefix=st.text(min_size=1, max_size=30), data=st.data())
def test_every_text_the_cursor_can_stand_behind_can_be_spelled_again(
    tokenizer: Tokenizer, vocabulary: Vocabulary, prefix: str, data: st.DataObject
) -> None:
    """Whatever agreeing tokens are picked, some token always agrees with the rest."""
    healing = Healing(vocabulary, partial_piece(tokenizer, prefix).encode())
    while healing.owed:
        agreeing = vocabulary.agreeing(healing.owed).tolist()
        assert agreeing
        healing = healing.after(data.draw(st.sampled_from(agreeing)))
