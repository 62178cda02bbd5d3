"""Contexts encoded while nothing is asked, for when the prefix window's start moves on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from midfill.inference.context_cache import ContextCache
from midfill.inference.healing import partial_piece
from midfill.inference.next_windows import PIECE, NextWindows, Place
from midfill.inference.prefix_cache import PrefixCache
from midfill.inference.prompt import (
    Windows,
    build_prompt,
    prefix_window_start,
    prompt_once_moved,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from midfill.inference.tokenizer import Tokenizer

FILE = "".join(f"def price_{n}(basket):\n    return total_of(basket, {n})\n\n" for n in range(600))
SUFFIX = "\n\nmain()\n"


class Encoder:
    """Keeps ids in place of keys, and notes how many tokens it is given at once."""

    def __init__(self) -> None:
        self.encoded: list[int] = []

    def new_cache(self, room: int) -> ContextCache:
        return ContextCache.empty(
            layers=1,
            key_heads=1,
            head_size=1,
            capacity=room,
            dtype=torch.float32,
            device=torch.device("cpu"),
        )

    def encode(self, tokens: Sequence[int], cache: ContextCache) -> None:
        self.encoded.append(len(tokens))
        cache.reserve(len(tokens))
        cache.tokens += tokens


class Typist:
    """Types into `FILE`; a request encodes what is missing."""

    def __init__(self, tokenizer: Tokenizer, store_bytes: int = 1 << 20) -> None:
        self.tokenizer = tokenizer
        self.encoder = Encoder()
        self.contexts = PrefixCache(store_bytes)
        self.next_windows = NextWindows(
            self.encoder,  # type: ignore[arg-type]
            tokenizer,
            room=160,
        )

    def ask(self, at: int, caller: str = "") -> int:
        """A request there; how many tokens it has to encode."""
        tokens = build_prompt(self.tokenizer, FILE[:at], SUFFIX).tokens
        cache, _ = self.contexts.take(
            tokens, lambda: self.encoder.new_cache(len(tokens) + 160), caller
        )
        new = tokens[len(cache) :]
        cache.tokens += new
        self.contexts.put(cache, caller)
        self.next_windows.note(Place(FILE[:at], SUFFIX), caller)
        return len(new)

    def read_piece(self) -> bool:
        return self.next_windows.read_piece(self.contexts)

    def read_all(self) -> None:
        while self.read_piece():
            assert len(self.encoder.encoded) < 1000


@pytest.fixture(scope="module")
def moves_at(tokenizer: Tokenizer) -> int:
    """Where in `FILE` the window's start moves on."""
    first = start_at(tokenizer, 20_000)
    return next(at for at in range(20_000, 26_000) if start_at(tokenizer, at) != first)


def start_at(tokenizer: Tokenizer, at: int) -> int:
    return prefix_window_start(tokenizer, FILE[:at], Windows().prefix)


def test_a_request_that_finds_the_window_moved_encodes_only_what_was_typed_last(
    tokenizer: Tokenizer, moves_at: int
) -> None:
    near = moves_at - 20
    taken_by_surprise, prepared = Typist(tokenizer), Typist(tokenizer)
    taken_by_surprise.ask(near)
    prepared.ask(near)
    prepared.read_all()

    assert taken_by_surprise.ask(moves_at) > 500
    assert prepared.ask(moves_at) < 20


def test_nothing_is_read_while_the_window_has_room(tokenizer: Tokenizer, moves_at: int) -> None:
    typist = Typist(tokenizer)
    typist.ask(moves_at - 2000)
    typist.read_all()
    assert typist.encoder.encoded == []


def test_what_is_typed_meanwhile_is_read_as_well_and_nothing_twice(
    tokenizer: Tokenizer, moves_at: int
) -> None:
    typist = Typist(tokenizer)
    typist.ask(moves_at - 60)
    typist.read_all()
    before = sum(typist.encoder.encoded)
    typist.ask(moves_at - 10)
    typist.read_all()
    assert sum(typist.encoder.encoded) - before < 30
    assert typist.ask(moves_at - 9) < 5  # the present window is as it was


def test_pieces_are_small_and_somebody_who_types_on_is_read_for_from_there(
    tokenizer: Tokenizer, moves_at: int
) -> None:
    typist = Typist(tokenizer)
    typist.ask(moves_at - 60)
    for _ in range(3):
        assert typist.read_piece()
    assert max(typist.encoder.encoded) <= PIECE
    typist.ask(moves_at - 30)
    typist.read_all()
    assert typist.ask(moves_at) < 30
    assert sum(typist.encoder.encoded) < Windows().prefix


def test_a_place_that_is_forgotten_is_not_read(tokenizer: Tokenizer, moves_at: int) -> None:
    typist = Typist(tokenizer)
    typist.ask(moves_at - 20, "one")
    typist.read_piece()
    typist.next_windows.forget("one")
    assert not typist.read_piece()
    typist.ask(moves_at - 20, "one")
    typist.next_windows.clear()
    assert not typist.read_piece()
    assert typist.encoder.encoded == []


def test_what_is_read_is_found_by_its_caller_alone(tokenizer: Tokenizer, moves_at: int) -> None:
    typist = Typist(tokenizer)
    for caller in ("one", "other"):
        typist.ask(moves_at - 20, caller)
    typist.next_windows.forget("other")
    typist.read_all()
    assert typist.ask(moves_at, "one") < 20
    assert typist.ask(moves_at, "other") > 500


def test_a_store_without_room_for_it_is_given_up(tokenizer: Tokenizer, moves_at: int) -> None:
    typist = Typist(tokenizer, store_bytes=100)
    typist.ask(moves_at - 20)
    typist.read_all()
    assert len(typist.encoder.encoded) <= 2


@given(at=st.integers(0, len(FILE)), typed=st.integers(0, 200))
def test_what_is_read_ahead_is_how_a_later_prompt_begins(
    tokenizer: Tokenizer, at: int, typed: int
) -> None:
    ahead = prompt_once_moved(tokenizer, FILE[:at], SUFFIX)
    if whole_start(tokenizer, at) != whole_start(tokenizer, at + typed):
        assert ahead is not None
        later = build_prompt(tokenizer, FILE[: at + typed], SUFFIX).tokens
        certain = len(ahead) - 3  # what is typed may join the tokens at the end
        assert later[:certain] == ahead[:certain]


def whole_start(tokenizer: Tokenizer, at: int) -> int:
    """Where the window starts that is laid out, without a partial token at its end."""
    return start_at(tokenizer, at - len(partial_piece(tokenizer, FILE[:at])))
