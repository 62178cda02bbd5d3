"""Text to ids and back: the same ids as the reference, and never a byte lost."""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from midfill.inference.errors import InvalidText, WeightsCorrupt
from midfill.inference.models.embedded.architecture import Architecture
from midfill.inference.tokenizer import Tokenizer

if TYPE_CHECKING:
    from collections.abc import Callable

    from midfill.inference.models.embedded.files import EmbeddedFiles

SAMPLES = {
    "code": "def accept(slots: list[int]) -> bool:\n    return all(s >= 0 for s in slots)  # ok\n",
    "CRLF": "if (x) {\r\n\treturn 1;\r\n}\r\n\r\n  \r\n",
    "lone CR": "a\rb\r\rc",
    "tabs": "\t\t\tfor i in range(10):\n\t\t\t\tpass\n\t \t mixed",
    "blanks": "x  =   1    \n\n\n\n     \n",
    "CJK": "# 日本語のコメント、中文注释，한국어 주석\nprint('你好')",
    "emoji": "s = '👨‍👩‍👧 🎉 🇩🇪 👍🏽'",
    "combining marks": "cafe\u0301 n\u0303 x\u0336 ก็ हिन्दी",
    "precomposed": "café ñ Å ệ 각",
    "compatibility": "𝒳 ﬁ ½ Ⅷ ｆｕｌｌ",
    "digits": "1234567890 ١٢٣ 0xFF 1_000_000.5e-10",
    "contractions": "don't WE'LL they've I'M x's",
    "controls": "\x00\x01\x1b[0m\u200b\ufeff\u2028\x7f",
    "right to left": "שלום عليكم",
    "long run": "=" * 300 + "a" * 300 + " " * 300,
    "nothing": "",
}

any_text = st.text(st.characters(exclude_categories=["Cs"]), max_size=200)
code_like = st.lists(
    st.sampled_from(
        ["def ", "x", " ", "\t", "\n", "\r\n", "\r", "(", "é", "e\u0301", "日", "🎉", "'s"]
    )
).map("".join)


@pytest.fixture(scope="module")
def reference(embedded_files: EmbeddedFiles) -> Callable[[str], list[int]]:
    """`transformers`' own tokenizer of the same GGUF file."""
    from transformers import Qwen2Tokenizer  # AutoTokenizer reads all of the file for its name

    loaded = Qwen2Tokenizer.from_pretrained(
        embedded_files.gguf.parent, gguf_file=embedded_files.gguf.name
    )
    return lambda text: list(loaded(text, add_special_tokens=False)["input_ids"])


def test_ids_are_those_of_transformers(
    tokenizer: Tokenizer, reference: Callable[[str], list[int]]
) -> None:
    sources = [file.read_text("utf-8") for file in Path(json.__file__).parent.glob("*.py")]
    for text in [*SAMPLES.values(), *sources]:
        composed = unicodedata.normalize("NFC", text)
        assert tokenizer.encode(composed) == reference(composed), composed[:60]


@pytest.mark.parametrize("text", SAMPLES.values(), ids=SAMPLES)
def test_samples_come_back_as_they_were(tokenizer: Tokenizer, text: str) -> None:
    assert tokenizer.decode(tokenizer.encode(text)) == text


@given(text=st.one_of(any_text, code_like))
def test_any_text_comes_back_as_it_was(tokenizer: Tokenizer, text: str) -> None:
    ids = tokenizer.encode(text)

    assert tokenizer.decode(ids) == text
    assert b"".join(map(tokenizer.token_bytes, ids)) == text.encode()


@given(text=st.one_of(any_text, code_like))
def test_offsets_name_the_characters_of_each_token(tokenizer: Tokenizer, text: str) -> None:
    ids, offsets = tokenizer.encode_with_offsets(text)

    assert ids == tokenizer.encode(text)
    reached = 0
    for token, (start, end) in zip(ids, offsets, strict=True):
        assert start <= reached <= end, "a character was left out"
        reached = end
        assert tokenizer.token_bytes(token) in text[start:end].encode()
    assert reached == len(text)


@pytest.mark.parametrize(
    "text",
    ["<|endoftext|>", "x = '<|fim_middle|>'", "<|im_start|>system", "<tool_call>", "[PAD151665]"],
)
def test_a_special_token_in_the_text_is_plain_text(tokenizer: Tokenizer, text: str) -> None:
    ids = tokenizer.encode(text)

    assert not any(map(tokenizer.is_special, ids))
    assert tokenizer.decode(ids) == text


def test_special_tokens_have_no_text(tokenizer: Tokenizer) -> None:
    assert tokenizer.decode([tokenizer.fim_prefix, *tokenizer.encode("x"), *tokenizer.ends]) == "x"
    assert tokenizer.token_bytes(tokenizer.end_of_text) == b""


def test_the_markers_are_where_the_model_was_trained_to_see_them(tokenizer: Tokenizer) -> None:
    markers = (tokenizer.fim_prefix, tokenizer.fim_middle, tokenizer.fim_suffix, tokenizer.fim_pad)

    assert markers == (151659, 151660, 151661, 151662)
    assert tokenizer.ends == {151643, 151645, 151662, 151664}
    assert tokenizer.size == len(tokenizer.vocabulary_bytes) == Architecture().vocabulary


def test_a_character_that_is_still_to_come_is_left_out(tokenizer: Tokenizer) -> None:
    ids = tokenizer.encode("x = '🧑🏿‍🚀'")
    whole = tokenizer.decode(ids)

    for length in range(len(ids)):
        assert whole.startswith(tokenizer.decode(ids[:length]))


def test_bytes_that_are_no_text_end_it(tokenizer: Tokenizer) -> None:
    stray = tokenizer.vocabulary_bytes.index(b"\xff")

    assert tokenizer.decode([*tokenizer.encode("ab"), stray, *tokenizer.encode("cd")]) == "ab"


def test_a_lone_surrogate_is_refused(tokenizer: Tokenizer) -> None:
    with pytest.raises(InvalidText, match="lone surrogate at character 3"):
        tokenizer.encode("ab \ud800")


@pytest.mark.parametrize("content", ["", "{", "{}", '{"version": "1.0"}'])
def test_a_damaged_tokenizer_is_one_clear_line(tmp_path: Path, content: str) -> None:
    path = tmp_path / "tokenizer.json"
    path.write_text(content)

    with pytest.raises(WeightsCorrupt, match="`midfill model pull embedded` makes it anew"):
        Tokenizer(path)
