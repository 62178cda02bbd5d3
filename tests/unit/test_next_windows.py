"""Contexts encoded while nothing is asked, for when the prefix window's start moves on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from midfill.inference.context_cache import ContextCache
from midfill.inference.healing import partial_piece
from midfill.inference.next_windows import PIECE, NextWindows, Typist
from midfill.inference.prefix_cache import PrefixCache
from midfill.inference.prefix_window import prefix_window_start
from midfill.inference.prompt import (
    Windows,
    build_prompt,
    prompt_once_moved,
)
from midfill.inference.wire import ContextFile

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


class Filler:
    """What a filler does for somebody who types into `FILE`, but for the filling."""

    def __init__(self, tokenizer: Tokenizer, context: Sequence[ContextFile] = ()) -> None:
        self.tokenizer = tokenizer
        self.context = context
        self.encoder = Encoder()
        self.contexts = PrefixCache(1 << 20)
        self.next_windows = NextWindows(
            self.encoder,  # type: ignore[arg-type]
            tokenizer,
            room=160,
        )

    def ask(self, at: int, caller: str = "") -> int:
        """A request there; how many tokens it has to encode."""
        tokens = build_prompt(self.tokenizer, FILE[:at], SUFFIX, self.context).tokens
        if (ahead := self.next_windows.take(tokens, caller)) is not None:
            self.contexts.put(ahead, caller)
        cache, _ = self.contexts.take(
            tokens, lambda: self.encoder.new_cache(len(tokens) + 160), caller
        )
        new = tokens[len(cache) :]
        cache.tokens += new
        self.contexts.put(cache, caller)
        self.next_windows.note(Typist(caller, FILE[:at], SUFFIX, self.context, tokens))
        return len(new)

    def rest(self) -> None:
        """Nothing is asked until there is nothing left to do."""
        while self.next_windows.encode_piece():
            assert len(self.encoder.encoded) < 1000


@pytest.fixture(scope="module")
def moves_at(tokenizer: Tokenizer) -> int:
    """Where in `FILE` the window's start moves on."""
    first = start_at(tokenizer, 20_000)
    return next(at for at in range(20_000, 26_000) if start_at(tokenizer, at) != first)


def start_at(tokenizer: Tokenizer, at: int) -> int:
    """Where the window starts that is laid out, without a partial token at its end."""
    whole = FILE[: at - len(partial_piece(tokenizer, FILE[:at]))]
    return prefix_window_start(tokenizer, whole, Windows().prefix)


def test_a_request_that_finds_the_window_moved_encodes_only_what_was_typed_last(
    tokenizer: Tokenizer, moves_at: int
) -> None:
    near = moves_at - 20
    taken_by_surprise, prepared = Filler(tokenizer), Filler(tokenizer)
    taken_by_surprise.ask(near)
    prepared.ask(near)
    prepared.rest()

    assert taken_by_surprise.ask(moves_at) > 500
    assert prepared.ask(moves_at) < 20


def test_nothing_is_encoded_while_the_window_has_room(tokenizer: Tokenizer, moves_at: int) -> None:
    filler = Filler(tokenizer)
    places = range(moves_at, moves_at + 3000, 10)
    filler.ask(
        next(at for at in places if start_at(tokenizer, at) == start_at(tokenizer, at + 400))
    )
    filler.rest()
    assert filler.encoder.encoded == []


@pytest.mark.parametrize("context", [(), (ContextFile(path="other.py", text=FILE),)])
def test_the_present_window_stays_as_it_is(
    tokenizer: Tokenizer, moves_at: int, context: Sequence[ContextFile]
) -> None:
    filler = Filler(tokenizer, context)
    filler.ask(moves_at - 60)
    filler.rest()
    assert filler.encoder.encoded
    for back in (40, 20):
        assert filler.ask(moves_at - back) < 20
        filler.rest()
    assert filler.ask(moves_at) < 20


def test_what_is_typed_meanwhile_is_encoded_as_well_and_nothing_twice(
    tokenizer: Tokenizer, moves_at: int
) -> None:
    filler = Filler(tokenizer)
    filler.ask(moves_at - 60)
    for _ in range(3):
        assert filler.next_windows.encode_piece()
    assert max(filler.encoder.encoded) <= PIECE
    filler.ask(moves_at - 30)
    filler.rest()
    assert filler.ask(moves_at) < 20
    assert sum(filler.encoder.encoded) < Windows().prefix


def test_other_documents_keep_their_contexts(tokenizer: Tokenizer, moves_at: int) -> None:
    filler = Filler(tokenizer)
    for at in (3000, 9000, moves_at - 20):
        filler.ask(at)
    held = len(filler.contexts)
    filler.rest()
    assert filler.encoder.encoded
    assert len(filler.contexts) == held


def test_somebody_else_who_types_has_theirs_encoded_instead(
    tokenizer: Tokenizer, moves_at: int
) -> None:
    filler = Filler(tokenizer)
    for caller in ("one", "other"):
        filler.ask(moves_at - 20, caller)
        filler.rest()
    assert filler.ask(moves_at, "one") > 500
    assert filler.ask(moves_at, "other") < 20


@pytest.mark.parametrize("while_encoding", [False, True])
def test_a_text_that_is_to_be_forgotten_is_not_encoded(
    tokenizer: Tokenizer, moves_at: int, *, while_encoding: bool
) -> None:
    filler = Filler(tokenizer)
    for forget in (lambda: filler.next_windows.forget("one"), filler.next_windows.clear):
        filler.ask(moves_at - 20, "one")
        for _ in range(3 * while_encoding):
            filler.next_windows.encode_piece()
        done = len(filler.encoder.encoded)
        forget()
        filler.rest()
        assert len(filler.encoder.encoded) == done
        tokens = build_prompt(tokenizer, FILE[:moves_at], SUFFIX).tokens
        assert filler.next_windows.take(tokens, "one") is None


def test_nothing_is_kept_of_what_could_not_be_encoded(
    tokenizer: Tokenizer, moves_at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    filler = Filler(tokenizer)
    filler.ask(moves_at - 20)
    filler.next_windows.encode_piece()

    def fail(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(filler.encoder, "encode", fail)
    with pytest.raises(MemoryError):
        filler.next_windows.encode_piece()
    assert not filler.next_windows.encode_piece()


@given(at=st.integers(0, len(FILE)), typed=st.integers(0, 120))
def test_what_is_encoded_ahead_is_how_a_later_prompt_begins(
    tokenizer: Tokenizer, at: int, typed: int
) -> None:
    ahead = prompt_once_moved(tokenizer, FILE[:at], SUFFIX)
    if start_at(tokenizer, at) != start_at(tokenizer, at + typed):
        assert ahead is not None
        later = build_prompt(tokenizer, FILE[: at + typed], SUFFIX).tokens
        certain = len(ahead) - 3  # what is typed may join the tokens at the end
        assert later[:certain] == ahead[:certain]
