"""The strict reading of answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_diffusion_gemma import tiny_tokenizer_json

from midfill.inference.models.diffusion_gemma.answer import Form, fences_are_text, read_answer
from midfill.inference.models.diffusion_gemma.markers import Markers
from midfill.inference.models.hub_tokenizer import HubTokenizer

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> HubTokenizer:
    folder: Path = tmp_path_factory.mktemp("tokenizer")
    (folder / "tokenizer.json").write_text(tiny_tokenizer_json())
    return HubTokenizer(folder)


@pytest.fixture(scope="module")
def markers(tokenizer: HubTokenizer, tmp_path_factory: pytest.TempPathFactory) -> Markers:
    return Markers.of(tokenizer, tmp_path_factory.mktemp("markers"))


CASES = {
    "return x</middle><turn|>": (Form.FINISHED, "return x"),
    "return x</middle><turn|><pad><pad>": (Form.FINISHED, "return x"),
    "return x</middle><eos>anything at all": (Form.FINISHED, "return x"),
    "</middle><turn|>": (Form.FINISHED, ""),
    "  a\n    b\n</middle>\n<turn|>": (Form.FINISHED, "  a\n    b\n"),
    "return x</middle>": (Form.FINISHED, "return x"),
    "return x": (Form.UNFINISHED, "return x"),
    "return x</midd": (Form.UNFINISHED, "return x"),
    "a < b <": (Form.UNFINISHED, "a < b "),
    "": (Form.UNFINISHED, ""),
    "return x<turn|>": (Form.REFUSED, "return x"),
    "return x</midd<turn|>": (Form.REFUSED, "return x</midd"),
    "<pad>": (Form.REFUSED, ""),
    "return x</middle> I hope it helps<turn|>": (Form.REFUSED, "return x"),
    "return x</middle>```": (Form.REFUSED, "return x"),
    "<middle>return x</middle><turn|>": (Form.REFUSED, ""),
    "```python\nreturn x\n```</middle><turn|>": (Form.REFUSED, ""),
    "\n ~~~\nreturn x": (Form.REFUSED, ""),
    "x = 1\n# ```\n": (Form.UNFINISHED, "x = 1\n# ```\n"),
    "``": (Form.UNFINISHED, "``"),
    "return<|channel>thought": (Form.REFUSED, "return"),
    "return<|image>x</middle><turn|>": (Form.REFUSED, "return"),
}


def ids_of(tokenizer: HubTokenizer, text: str) -> list[int]:
    """Text with markers in it."""
    names = ["<pad>", "<eos>", "<turn|>", "<|channel>", "<|image>"]
    found = [(at, name) for name in names if (at := text.find(name)) >= 0]
    if not found:
        return tokenizer.encode(text)
    at, name = min(found)
    marker = tokenizer.special(name)
    assert marker is not None
    rest = ids_of(tokenizer, text[at + len(name) :])
    return [*tokenizer.encode(text[:at]), marker, *rest]


@pytest.mark.parametrize(("written", "expected"), CASES.items())
def test_an_answer_is_read_strictly(
    tokenizer: HubTokenizer, markers: Markers, written: str, expected: tuple[Form, str]
) -> None:
    answer = read_answer(tokenizer, markers, ids_of(tokenizer, written))
    assert (answer.form, answer.text) == expected


@pytest.mark.parametrize(
    ("prefix", "language", "may"),
    [
        ("", "python", False),
        ("x = 1\n", "", False),
        ("# Title\n", "markdown", True),
        ("```python\nx = 1\n", "", True),
        ("```python\nx = 1\n```\n", "", False),
        ("/// ```\n/// x\n", "rust", True),
        ("x = '```'\n", "python", False),
    ],
)
def test_a_fence_is_text_where_the_file_has_fences(prefix: str, language: str, may: bool) -> None:
    assert fences_are_text(prefix, language) is may


def test_where_fences_are_text_an_answer_may_begin_with_one(
    tokenizer: HubTokenizer, markers: Markers
) -> None:
    ids = ids_of(tokenizer, "```\n</middle><turn|>")
    answer = read_answer(tokenizer, markers, ids, fences=True)
    assert (answer.form, answer.text) == (Form.FINISHED, "```\n")


@given(text=st.text().filter(lambda text: text.isprintable() or "\n" in text))
def test_whatever_text_is_written_between_the_tags_comes_back(
    tokenizer: HubTokenizer, markers: Markers, text: str
) -> None:
    ids = tokenizer.encode(text)
    answer = read_answer(
        tokenizer, markers, [*ids, *tokenizer.encode("</middle>"), markers.turn_end], fences=True
    )
    assert answer.form is Form.FINISHED
    assert answer.text == text
    assert answer.tokens == len(ids)


@given(ids=st.lists(st.integers(0, 383), max_size=40))
def test_any_tokens_are_read_without_an_error_and_a_finished_text_is_closed(
    tokenizer: HubTokenizer, markers: Markers, ids: list[int]
) -> None:
    answer = read_answer(tokenizer, markers, ids)
    assert answer.tokens <= len(ids)
    assert "</middle>" not in answer.text
    if answer.form is Form.FINISHED:
        assert "</middle>" in tokenizer.decode([i for i in ids if i < tokenizer.size])


def test_a_half_written_character_may_be_finished_but_not_left(
    tokenizer: HubTokenizer, markers: Markers
) -> None:
    half = tokenizer.encode("x é")[:-1]
    assert read_answer(tokenizer, markers, half).form is Form.UNFINISHED
    assert read_answer(tokenizer, markers, half).text == "x "
    assert read_answer(tokenizer, markers, [*half, markers.turn_end]).form is Form.REFUSED
    closed = [*half, *tokenizer.encode("</middle>")]
    assert read_answer(tokenizer, markers, closed).form is Form.REFUSED
