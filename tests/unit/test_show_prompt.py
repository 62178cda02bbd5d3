"""The page that shows a prompt has exactly what was sent, whatever is in it."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from midfill.inference.wire_prompt import PromptPart, PromptPiece, ShownPrompt
from midfill.lsp.show_prompt import prompt_as_markdown

M, C, S, P = PromptPart.MARKER, PromptPart.CONTEXT, PromptPart.SUFFIX, PromptPart.PREFIX


def prompt(
    *pieces: tuple[PromptPart, str, int], owed: str = "", owed_tokens: int = 0
) -> ShownPrompt:
    return ShownPrompt(
        model="embedded",
        pieces=tuple(PromptPiece(part=part, text=text, tokens=n) for part, text, n in pieces),
        owed=owed,
        owed_tokens=owed_tokens,
    )


WHOLE = prompt(
    (M, "<|repo_name|>", 1),
    (C, "repository\n", 2),
    (M, "<|file_sep|>", 1),
    (C, "shop/basket.py\ndef add(item): ...\n", 11),
    (M, "<|file_sep|>", 1),
    (C, "prices.py\nLIMIT = 3\n", 8),
    (M, "<|fim_prefix|>", 1),
    (M, "<|fim_suffix|>", 1),
    (S, "\nmain()\n", 4),
    (M, "<|fim_middle|>", 1),
    (P, "def main():\n   ", 5),
    owed=" retu",
    owed_tokens=2,
)


def fenced(page: str) -> str:
    """What stands in the code block, by CommonMark's rules for fences."""
    lines = page.split("\n")
    start = next(n for n, line in enumerate(lines) if line.startswith("```"))
    found = re.match(r"`+", lines[start])
    assert found
    fence = found.group()
    end = next(
        n
        for n, line in enumerate(lines[start + 1 :], start + 1)
        if re.fullmatch(rf" {{0,3}}`{{{len(fence)},}}[ \t]*", line)
    )
    assert not any(line.strip() for line in lines[end + 1 :])
    return "\n".join(lines[start + 1 : end])


def test_all_of_the_prompt_and_nothing_else_stands_in_the_block() -> None:
    assert fenced(prompt_as_markdown(WHOLE)) == WHOLE.text


def test_every_part_is_counted() -> None:
    page = prompt_as_markdown(WHOLE)

    rows = dict(re.findall(r"^\| (.+) \| (\d+) \|$", page, re.M))
    assert rows == {
        "context: `shop/basket.py`": "11",
        "context: `prices.py`": "8",
        "context: heading": "2",
        "text below the hole": "4",
        "text above the hole": "5",
        "markers": "6",
        "**all**": "36",
    }
    assert "Taken back: `␣retu`, 2 tokens" in page


def test_without_context_there_is_no_row_for_it() -> None:
    page = prompt_as_markdown(prompt((M, "<|fim_middle|>", 1), (P, "x = ", 3)))

    assert "context" not in page
    assert "Taken back" not in page


def test_markers_in_the_users_text_are_told_apart() -> None:
    page = prompt_as_markdown(prompt((M, "<|fim_middle|>", 1), (P, "x = '<|fim_prefix|>'", 9)))

    assert "spells 1 marker;" in page


@pytest.mark.parametrize("text", ["```", "````\n", "```python\nx\n```\n", "`" * 50, "\r```\r", ""])
def test_no_text_ends_the_block(text: str) -> None:
    shown = prompt((P, text, 1))

    assert fenced(prompt_as_markdown(shown)) == shown.text


@given(st.lists(st.tuples(st.sampled_from([C, S, P]), st.text("`a\n| ~", max_size=20)), max_size=6))
def test_whatever_is_sent_is_shown_exactly(pieces: list[tuple[PromptPart, str]]) -> None:
    shown = prompt(*((part, text, 1) for part, text in pieces))

    assert fenced(prompt_as_markdown(shown)) == shown.text
