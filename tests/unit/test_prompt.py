"""The prompt: what stands where, and windows that typing does not shift."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from midfill.inference import engine
from midfill.inference.prefix_window import prefix_window_start
from midfill.inference.prompt import Windows, build_prompt
from midfill.inference.wire import ContextFile

if TYPE_CHECKING:
    from midfill.inference.tokenizer import Tokenizer

LONG_FILE = inspect.getsource(engine) * 6


def test_the_suffix_stands_first_and_the_prefix_where_the_middle_begins(
    tokenizer: Tokenizer,
) -> None:
    prompt = build_prompt(tokenizer, "x = 1\ny = x\n", "print(y)\n")
    assert prompt.tokens == [
        tokenizer.fim_prefix,
        tokenizer.fim_suffix,
        *tokenizer.encode("print(y)\n"),
        tokenizer.fim_middle,
        *tokenizer.encode("x = 1\ny = x\n"),
    ]
    assert prompt.owed == b""


def test_a_partial_token_at_the_cursor_is_owed_and_not_in_the_prompt(tokenizer: Tokenizer) -> None:
    prompt = build_prompt(tokenizer, "def f():\n    retu", "\n")
    assert prompt.owed == b" retu"
    assert prompt.tokens == build_prompt(tokenizer, "def f():\n    ret", "\n").tokens


def test_snippets_of_other_files_stand_before_everything_in_the_repository_format(
    tokenizer: Tokenizer,
) -> None:
    snippet = ContextFile(path="a.py", text="A = 1")
    tokens = build_prompt(tokenizer, "x = ", "", [snippet]).tokens
    separator = tokens.index(tokenizer.file_sep)
    assert tokens[0] == tokenizer.repo_name
    text = tokenizer.decode(tokens[separator + 1 : tokens.index(tokenizer.fim_prefix)])
    assert text == "a.py\nA = 1\n"


@pytest.mark.parametrize("marker", ["<|fim_middle|>", "<|endoftext|>", "<tool_call>"])
def test_markers_in_the_users_text_are_text(tokenizer: Tokenizer, marker: str) -> None:
    plain = build_prompt(tokenizer, "x = 1\n", "")
    marked = build_prompt(tokenizer, f"x = '{marker}'\n", marker)
    assert [t for t in marked.tokens if tokenizer.is_special(t)] == [
        t for t in plain.tokens if tokenizer.is_special(t)
    ]


def test_all_windows_keep_their_budgets(tokenizer: Tokenizer) -> None:
    windows = Windows(prefix=200, suffix=20, context=30)
    snippets = [ContextFile(path=f"{n}.py", text=LONG_FILE) for n in range(3)]
    tokens = build_prompt(tokenizer, LONG_FILE, LONG_FILE, snippets, windows).tokens
    fim_prefix, fim_middle = tokens.index(tokenizer.fim_prefix), tokens.index(tokenizer.fim_middle)
    assert fim_prefix <= windows.context + 2
    assert fim_middle - fim_prefix - 2 == windows.suffix
    assert windows.prefix // 2 <= len(tokens) - fim_middle - 1 <= windows.prefix


def test_typing_a_thousand_characters_moves_the_window_only_now_and_then(
    tokenizer: Tokenizer,
) -> None:
    starts = [
        prefix_window_start(tokenizer, LONG_FILE[:end], 1024) for end in range(20_000, 21_000, 5)
    ]
    assert len(set(starts)) <= 4
    assert starts == sorted(starts)
    assert all(LONG_FILE[start - 1] == "\n" for start in starts)


def test_an_edit_far_above_leaves_the_window_as_it_is(tokenizer: Tokenizer) -> None:
    before = LONG_FILE[:20_000]
    for after in ("import os\n" + before, before[7:], before[:500] + before[900:]):
        windows = [text[prefix_window_start(tokenizer, text, 1024) :] for text in (before, after)]
        assert windows[0] == windows[1]


def test_a_window_is_the_same_however_much_of_the_document_is_at_hand(
    tokenizer: Tokenizer,
) -> None:
    whole = LONG_FILE[:20_000]
    for cut in (0, 4000, 8001):
        text = whole[cut:]
        start = prefix_window_start(tokenizer, text, 1024)
        assert cut + start == prefix_window_start(tokenizer, whole, 1024)


def test_lines_that_are_all_alike_leave_room_for_typing_too(tokenizer: Tokenizer) -> None:
    text = "    {1, 2},\n" * 2000
    starts = {prefix_window_start(tokenizer, text + "x" * typed, 512) for typed in range(0, 60, 5)}
    assert len(starts) <= 2


@pytest.mark.parametrize(
    "text", ["x = [" + "1, " * 20_000, "é" * 30_000, "\n" * 30_000, "a\tb " * 9000]
)
def test_a_window_fits_and_stays_put_even_in_one_enormous_line(
    tokenizer: Tokenizer, text: str
) -> None:
    starts = []
    for typed in range(0, 100, 10):
        prefix = text + "z" * typed
        start = prefix_window_start(tokenizer, prefix, 300)
        assert len(tokenizer.encode(prefix[start:])) <= 310  # a cut may split one token into a few
        starts.append(start)
    assert len(set(starts)) <= 2


@given(prefix=st.text(max_size=300), budget=st.integers(1, 50))
def test_a_window_of_any_text_keeps_to_its_budget(
    tokenizer: Tokenizer, prefix: str, budget: int
) -> None:
    start = prefix_window_start(tokenizer, prefix, budget)
    assert 0 <= start <= len(prefix)
    assert len(tokenizer.encode(prefix[start:])) <= budget + 4
