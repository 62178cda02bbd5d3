"""Healing at both edges of a hole."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_absorbing import dream

from midfill.inference.in_place.edges import Edges, cut_at_edges
from midfill.inference.models.hub_tokenizer import HubTokenizer
from midfill.inference.models.token_ends import TokenEnds

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> HubTokenizer:
    folder: Path = dream().write(tmp_path_factory.mktemp("tiny"))
    return HubTokenizer(folder)


@pytest.fixture(scope="module")
def ends(tokenizer: HubTokenizer) -> TokenEnds:
    return TokenEnds(tokenizer.vocabulary_bytes)


def test_tokens_are_found_by_how_they_begin_and_end() -> None:
    ends = TokenEnds([b"", b"re", b"return", b" x", b"turn", b"\xff", b"x"])

    assert sorted(ends.beginning_with(b"re").tolist()) == [1, 2]
    assert sorted(ends.ending_with(b"turn").tolist()) == [2, 4]
    assert sorted(ends.ending_with(b"x").tolist()) == [3, 6]
    assert ends.beginning_with(b"\xff").tolist() == [5]
    assert ends.beginning_with(b"zz").tolist() == []


@pytest.mark.parametrize(
    ("prefix", "suffix", "left", "right"),
    [
        ("x = ", "\n", b" ", b""),
        ("x =\n", "\n", b"", b""),
        ("", "", b"", b""),
        ("x = 12", "", b"", b""),
        ("\t", "x", b"\t", b"x"),
        ("a", "b = 1", b"a", b"b"),
        ("x.", "y", b".", b"y"),
        ("x1", "", b"", b""),
    ],
)
def test_pieces_of_words_and_last_blanks_are_taken_back(
    tokenizer: HubTokenizer, ends: TokenEnds, prefix: str, suffix: str, left: bytes, right: bytes
) -> None:
    before, edges, behind = cut_at_edges(tokenizer, ends, prefix, suffix, right=True)

    assert (edges.left, edges.right) == (left, right)
    assert before + edges.left.decode() == prefix
    assert edges.right.decode() + behind == suffix


@given(st.text(max_size=30), st.text(max_size=30))
def test_nothing_is_lost_and_whatever_is_owed_can_be_spelled(
    tokenizer: HubTokenizer, ends: TokenEnds, prefix: str, suffix: str
) -> None:
    before, edges, behind = cut_at_edges(tokenizer, ends, prefix, suffix, right=True)

    assert before + edges.left.decode() == prefix
    assert edges.right.decode() + behind == suffix
    assert not edges.left or len(ends.beginning_with(edges.left))
    assert not edges.right or len(ends.ending_with(edges.right))
    assert edges.inside(edges.left + b"text" + edges.right) == b"text"


def test_slots_that_spell_no_edge_are_told() -> None:
    assert Edges(b"re", b"n").inside(b"return") == b"tur"
    assert Edges(b"re", b"n").inside(b"xturn") is None
    assert Edges(b"re", b"e").inside(b"re") is None
    assert Edges().inside(b"") == b""
    assert Edges(b"a").slots == 1
    assert Edges(b"a", b"b").slots == 2
