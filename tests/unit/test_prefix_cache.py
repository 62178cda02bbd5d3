"""Encoded contexts across requests, documents and a limited memory."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from midfill.inference.context_cache import ContextCache
from midfill.inference.prefix_cache import WORTH_REUSING, PrefixCache


def empty(capacity: int = 64) -> ContextCache:
    return ContextCache.empty(
        layers=1,
        key_heads=1,
        head_size=2,
        capacity=capacity,
        dtype=torch.float32,
        device=torch.device("cpu"),
    )


def encode(cache: ContextCache, tokens: list[int]) -> None:
    """As a model would, but with keys that say which token they belong to."""
    cache.reserve(len(tokens))
    for token in tokens:
        cache.keys[:, :, len(cache)] = token
        cache.values[:, :, len(cache)] = -token
        cache.tokens.append(token)


def serve(store: PrefixCache, tokens: list[int]) -> int:
    """What one request does; returns how many tokens it found encoded."""
    cache, _ = store.take(tokens, empty)
    hits = len(cache)
    assert cache.tokens == tokens[:hits]
    encode(cache, tokens[hits:])
    held = cache.keys[0, 0, : len(tokens), 0].tolist()
    assert held == tokens
    store.put(cache)
    return hits


DOCUMENT = list(range(1, 41))


def test_typing_at_the_end_encodes_only_what_is_new() -> None:
    store = PrefixCache(1 << 20)
    assert serve(store, DOCUMENT) == 0
    assert serve(store, [*DOCUMENT, 99, 98]) == len(DOCUMENT)
    assert len(store) == 1


def test_the_last_token_is_always_encoded_again() -> None:
    store = PrefixCache(1 << 20)
    serve(store, DOCUMENT)
    assert serve(store, DOCUMENT) == len(DOCUMENT) - 1


def test_what_followed_last_time_is_believed_to_follow_again() -> None:
    store = PrefixCache(1 << 20)
    cache, believed = store.take(DOCUMENT, empty)
    assert believed == []
    encode(cache, [*DOCUMENT, 91, 92])  # the context, and the part of the middle that was kept
    cache.believe([*DOCUMENT, 91, 92, 93])
    store.put(cache)

    cache, believed = store.take([*DOCUMENT, 91], empty)
    assert believed == [92, 93]
    encode(cache, [91][len(cache) - len(DOCUMENT) :])
    store.put(cache)
    _, believed = store.take([*DOCUMENT, 7], empty)
    assert believed == []


def test_two_documents_do_not_push_each_other_out() -> None:
    store = PrefixCache(1 << 20)
    header = DOCUMENT[:10]
    first = header + [token + 100 for token in DOCUMENT]
    second = header + [token + 200 for token in DOCUMENT]
    serve(store, first)
    assert serve(store, second) == len(header)  # copied out of the first
    assert serve(store, [*first, 7]) == len(first)
    assert serve(store, [*second, 7]) == len(second)


def test_the_markers_that_every_prompt_begins_with_are_not_worth_a_copy() -> None:
    store = PrefixCache(1 << 20)
    serve(store, DOCUMENT)
    assert serve(store, DOCUMENT[: WORTH_REUSING - 1] + [500] * 20) == 0


def test_memory_stays_within_its_bound_and_the_least_recently_used_goes_first() -> None:
    room = empty().nbytes
    store = PrefixCache(2 * room)
    documents = [[token + 1000 * number for token in DOCUMENT] for number in range(3)]
    serve(store, documents[0])
    serve(store, documents[1])
    serve(store, documents[0])
    serve(store, documents[2])
    assert store.nbytes <= 2 * room
    assert serve(store, documents[0]) == len(DOCUMENT) - 1
    assert serve(store, documents[1]) == 0


def test_a_context_larger_than_the_whole_store_is_used_and_dropped() -> None:
    store = PrefixCache(empty().nbytes - 1)
    assert serve(store, DOCUMENT) == 0
    assert len(store) == 0


def serve_as(store: PrefixCache, caller: str, tokens: list[int]) -> int:
    cache, _ = store.take(tokens, empty, caller)
    hits = len(cache)
    encode(cache, tokens[hits:])
    store.put(cache, caller)
    return hits


def test_nobody_can_tell_from_what_is_found_what_others_have_sent() -> None:
    store = PrefixCache(1 << 20)
    serve_as(store, "ann", DOCUMENT)
    assert serve_as(store, "bob", DOCUMENT) == 0
    assert serve_as(store, "ann", [*DOCUMENT, 99]) == len(DOCUMENT)


def test_what_is_let_go_of_is_the_callers_own() -> None:
    store = PrefixCache(1 << 20)
    other = [token + 100 for token in DOCUMENT]
    for caller in ("ann", "bob"):
        serve_as(store, caller, DOCUMENT)
        serve_as(store, caller, other)
    store.forget("ann")
    assert len(store) == 2
    assert serve_as(store, "ann", DOCUMENT) == 0
    assert serve_as(store, "bob", [*DOCUMENT, 9]) == len(DOCUMENT)
    assert serve_as(store, "bob", [*other, 9]) == len(other)


@given(st.lists(st.lists(st.integers(0, 2), min_size=1, max_size=60), min_size=1, max_size=12))
def test_whatever_is_asked_the_keys_are_those_of_the_tokens(requests: list[list[int]]) -> None:
    store = PrefixCache(4 * empty().nbytes)
    for tokens in requests:
        hits = serve(store, tokens)
        assert 0 <= hits < len(tokens)
    assert store.nbytes <= 4 * empty().nbytes
