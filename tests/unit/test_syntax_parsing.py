"""Trees of text that changes equal trees of the same text read at once."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from midfill.inference.syntax.grammars import grammar_for
from midfill.inference.syntax.parsing import Parsed, parse

LANGUAGES = [
    "python",
    "javascript",
    "typescript",
    "typescriptreact",
    "go",
    "rust",
    "java",
    "c",
    "cpp",
    "csharp",
    "ruby",
    "php",
    "shellscript",
    "lua",
    "html",
    "css",
    "sql",
    "json",
    "yaml",
    "toml",
    "markdown",
]

PIECES = st.sampled_from(
    ["def f(a):\n", "    return a\n", "x = 1\n", '"', '"""', "(", ")", "é", "𝄞", "\r\n", "#", " "]
)
TEXTS = st.lists(PIECES, max_size=30).map("".join)


def outline(parsed: Parsed) -> str:
    return str(parsed.tree.root_node)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_has_a_grammar_that_reads_text(language: str) -> None:
    grammar = grammar_for(language)
    assert grammar is not None
    parsed = parse("x = 1\n", grammar)
    assert parsed.tree.root_node.end_byte <= len(parsed.source)


def test_a_grammar_is_found_by_the_name_where_the_language_says_nothing() -> None:
    assert grammar_for("plaintext", "file:///a/b.rs") == "rust"
    assert grammar_for("", "b.TSX") == "tsx"
    assert grammar_for("python", "file.unknown") == "python"


def test_a_language_without_a_grammar_has_none() -> None:
    assert grammar_for("klingon", "file:///a/b.tlh") is None
    assert grammar_for("") is None


@given(st.lists(TEXTS, min_size=2, max_size=6))
def test_reading_only_what_changed_gives_the_tree_of_the_whole(states: list[str]) -> None:
    parsed = parse(states[0], "python")
    for text in states[1:]:
        parsed = parse(text, "python", parsed)
        assert parsed.source == text.encode()
        assert parsed.tree.root_node.end_byte == parse(text, "python").tree.root_node.end_byte
    if not parsed.tree.root_node.has_error:
        assert outline(parsed) == outline(parse(parsed.text, "python"))


def test_an_earlier_state_stays_as_it_was() -> None:
    before = parse("x = 1\n", "python")
    outline_before = outline(before)
    parse("def f():\n    x = 1\n", "python", before)
    assert outline(before) == outline_before


def test_the_same_text_is_not_read_again() -> None:
    before = parse("x = 1\n", "python")
    assert parse("x = 1\n", "python", before) is before


def test_a_lone_surrogate_does_not_stop_it() -> None:
    assert parse("x = '\ud800'\n", "python").text == "x = '\ud800'\n"


@given(TEXTS)
def test_characters_and_bytes_are_counted_to_and_fro(text: str) -> None:
    parsed = parse(text, "python")
    for character in range(len(text) + 1):
        assert parsed.character_of(parsed.byte_of(character)) == character
