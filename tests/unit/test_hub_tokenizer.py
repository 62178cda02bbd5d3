"""Published tokenizers: whichever files they come in, no byte is lost and no text is a marker."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import tiny_absorbing as tiny
from hypothesis import given
from hypothesis import strategies as st

from midfill.inference.errors import InvalidText, WeightsCorrupt
from midfill.inference.models.hub_tokenizer import HubTokenizer

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from midfill.inference.models.embedded.files import EmbeddedFiles
    from midfill.inference.tokenizer import Tokenizer

MARKERS = {**tiny.QWEN_MARKERS, "<|beginoftext|>": tiny.BOS, "<|mask|>": tiny.MASK}

any_text = st.text(st.characters(exclude_categories=["Cs"]), max_size=80)
nasty_text = st.lists(
    st.sampled_from(
        [
            "<|mask|>",
            "<|endoftext|>",
            "<|fim_middle|>",
            "<mask>",
            "<0x41>",
            "<table>",
            "▁",
            "▁▁",
            " ",
            "    ",
            "\n\n",
            "\r\n",
            "\t",
            "e\u0301",
            "é",
            "Å",
            "ﬁ",
            "日本",
            "👨‍👩‍👧",
            "\x00",
            "\ufeff",
            "int a",
        ]
    ),
    max_size=12,
).map("".join)
texts = st.one_of(any_text, nasty_text)


def fallback_json() -> dict[str, Any]:
    """A ``tokenizer.json`` with byte fallback, as Gemma has it."""
    vocabulary = {"<pad>": 0, "<eos>": 1, "<bos>": 2, "<unk>": 3, "<mask>": 4}
    vocabulary.update({f"<0x{byte:02X}>": 5 + byte for byte in range(256)})
    pieces = [
        "▁",
        *"abcint<>0x41le",
        "\n",
        "▁▁",
        "▁a",
        "in",
        "int",
        "\n\n",
        "<table>",
        "<0",
        "x41>",
    ]
    for piece in pieces:
        vocabulary.setdefault(piece, len(vocabulary))
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False}
    texts = ["\n\n", "▁▁", "<table>"]
    return {
        "version": "1.0",
        "added_tokens": [
            {"id": vocabulary[text], "content": text, **flags, "special": text not in texts}
            for text in ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>", *texts]
        ],
        "normalizer": {"type": "Replace", "pattern": {"String": " "}, "content": "▁"},
        "pre_tokenizer": {
            "type": "Split",
            "pattern": {"String": " "},
            "behavior": "MergedWithPrevious",
            "invert": False,
        },
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [
                {"SpecialToken": {"id": "<bos>", "type_id": 0}},
                {"Sequence": {"id": "A", "type_id": 0}},
            ],
            "pair": [{"Sequence": {"id": "A", "type_id": 0}}],
            "special_tokens": {"<bos>": {"id": "<bos>", "ids": [2], "tokens": ["<bos>"]}},
        },
        "decoder": {
            "type": "Sequence",
            "decoders": [
                {"type": "Replace", "pattern": {"String": "▁"}, "content": " "},
                {"type": "ByteFallback"},
                {"type": "Fuse"},
            ],
        },
        "model": {
            "type": "BPE",
            "unk_token": "<unk>",
            "fuse_unk": True,
            "byte_fallback": True,
            "vocab": vocabulary,
            "merges": [
                ["▁", "▁"],
                ["▁", "a"],
                ["i", "n"],
                ["in", "t"],
                ["\n", "\n"],
                ["<", "0"],
                ["<0", "x41>"],  # leads to no token, but to the name of one
            ],
        },
    }


def write_fallback(folder: Path, content: dict[str, Any] | None = None) -> Path:
    folder.mkdir(exist_ok=True, parents=True)
    made = fallback_json() if content is None else content
    (folder / "tokenizer.json").write_text(json.dumps(made), "utf-8")
    return folder


@pytest.fixture(scope="module")
def byte_level(tmp_path_factory: pytest.TempPathFactory) -> HubTokenizer:
    folder = tmp_path_factory.mktemp("byte-level")
    tiny.write_tokenizer(folder, MARKERS)
    return HubTokenizer(folder)


@pytest.fixture(scope="module")
def older(tmp_path_factory: pytest.TempPathFactory) -> HubTokenizer:
    folder = tmp_path_factory.mktemp("older")
    tiny.write_tokenizer(folder, MARKERS, older=True)
    return HubTokenizer(folder)


@pytest.fixture(scope="module")
def fallback(tmp_path_factory: pytest.TempPathFactory) -> HubTokenizer:
    content = fallback_json()
    content["model"]["merges"].pop()
    return HubTokenizer(write_fallback(tmp_path_factory.mktemp("fallback"), content))


@given(text=texts)
def test_bytes_of_the_tokens_are_those_of_the_text(byte_level: HubTokenizer, text: str) -> None:
    ids = byte_level.encode(text)

    assert b"".join(map(byte_level.token_bytes, ids)) == text.encode()
    assert byte_level.decode(ids) == text
    assert not byte_level.special_ids.intersection(ids)


@given(text=texts)
def test_with_byte_fallback_too(fallback: HubTokenizer, text: str) -> None:
    ids = fallback.encode(text)

    assert b"".join(map(fallback.token_bytes, ids)) == text.encode()
    assert not fallback.special_ids.intersection(ids)


@given(text=texts)
def test_both_kinds_of_files_give_the_same_ids(
    byte_level: HubTokenizer, older: HubTokenizer, text: str
) -> None:
    assert byte_level.encode_with_offsets(text) == older.encode_with_offsets(text)


@given(text=texts)
def test_offsets_cover_the_text_in_order(
    byte_level: HubTokenizer, fallback: HubTokenizer, text: str
) -> None:
    for tokenizer in (byte_level, fallback):
        ids, offsets = tokenizer.encode_with_offsets(text)

        assert ids == tokenizer.encode(text)
        assert [at for start, end in offsets for at in range(start, end)] == sorted(
            at for start, end in offsets for at in range(start, end)
        )
        assert {at for start, end in offsets for at in range(start, end)} == set(range(len(text)))
        for token, (start, end) in zip(ids, offsets, strict=True):
            assert tokenizer.token_bytes(token) in text[start:end].encode()


def test_merges_are_used(byte_level: HubTokenizer, fallback: HubTokenizer) -> None:
    assert [byte_level.token_bytes(i) for i in byte_level.encode("int a")] == [b"int", b" a"]
    assert [fallback.token_bytes(i) for i in fallback.encode("int a\n\n")] == [
        b"int",
        b" a",
        b"\n\n",
    ]


def test_markers_are_found_by_their_text_and_have_no_bytes(older: HubTokenizer) -> None:
    assert older.special("<|mask|>") == tiny.MASK
    assert older.special("<|fim_middle|>") == tiny.FIM
    assert older.special("int") is None
    assert older.special_ids == set(MARKERS.values())
    assert older.is_special(tiny.FIM)
    assert not older.is_special(0)
    assert older.token_bytes(tiny.MASK) == b""


def test_a_vocabulary_may_have_holes(older: HubTokenizer) -> None:
    assert older.size == tiny.MASK + 1 == len(older.vocabulary_bytes)
    assert older.token_bytes(tiny.MASK - 10) == b""
    for token in (older.size, -1):
        with pytest.raises(IndexError):
            older.token_bytes(token)


def test_decoding_stops_in_front_of_half_a_character(byte_level: HubTokenizer) -> None:
    ids = byte_level.encode("int 日")

    assert byte_level.decode([*ids[:-1], tiny.MASK]) == "int "
    assert byte_level.decode([]) == ""


def test_tokens_that_are_text_though_they_were_added_keep_their_text(
    fallback: HubTokenizer,
) -> None:
    assert fallback.special("<table>") is None
    ids = fallback.encode("<table>")
    assert [fallback.token_bytes(token) for token in ids] == [b"<table>"]
    assert fallback.special_ids == set(range(5))


def test_markers_with_a_role_are_markers_though_only_the_vocabulary_has_them(
    tmp_path: Path,
) -> None:
    content = fallback_json()
    content["added_tokens"] = []
    content["model"]["merges"].pop()
    write_fallback(tmp_path, content)
    (tmp_path / "special_tokens_map.json").write_text(
        json.dumps({"eos_token": {"content": "<eos>"}, "additional_special_tokens": ["<mask>"]})
    )

    tokenizer = HubTokenizer(tmp_path)

    assert (tokenizer.special("<eos>"), tokenizer.special("<mask>")) == (1, 4)
    assert tokenizer.token_bytes(4) == b""


def test_no_merge_leads_to_a_marker(tmp_path: Path) -> None:
    content = fallback_json()
    vocabulary = content["model"]["vocab"]
    vocabulary.update({"<mas": 400, "k>": 401, "m": 402, "s": 403, "k": 404, "<m": 405, "<ma": 406})
    content["model"]["merges"][-1:] = [
        ["<", "m"],
        ["<m", "a"],
        ["<ma", "s"],
        ["k", ">"],
        ["<mas", "k>"],
    ]

    tokenizer = HubTokenizer(write_fallback(tmp_path, content))

    ids = tokenizer.encode("<mask>")
    assert ids == [400, 401]


def test_a_word_that_is_a_marker_is_none_where_whole_words_are_tokens(tmp_path: Path) -> None:
    tiny.write_tokenizer(tmp_path, MARKERS)
    content = json.loads((tmp_path / "tokenizer.json").read_text("utf-8"))
    content["model"]["ignore_merges"] = True
    content["model"]["vocab"] |= {"mask": 310, "whole": 311}
    content["added_tokens"].append({"id": 310, "content": "mask", "special": True})
    (tmp_path / "tokenizer.json").write_text(json.dumps(content), "utf-8")

    tokenizer = HubTokenizer(tmp_path)

    assert tokenizer.encode("whole") == [311]
    assert 310 not in tokenizer.encode("mask")


def test_text_without_utf8_form_is_refused(byte_level: HubTokenizer) -> None:
    with pytest.raises(InvalidText, match="lone surrogate at character 1"):
        byte_level.encode("a\ud800")


def test_a_real_vocabulary_gives_the_ids_that_it_should(
    embedded_files: EmbeddedFiles, tokenizer: Tokenizer
) -> None:
    hub = HubTokenizer(embedded_files.tokenizer.parent)
    text = "def f(x):\r\n\treturn  '日本 e\u0301 👍🏽' + <|fim_prefix|>  # don't\n" * 3

    assert hub.encode_with_offsets(text) == tokenizer.encode_with_offsets(text)
    assert hub.vocabulary_bytes == tokenizer.vocabulary_bytes
    assert hub.special("<|fim_prefix|>") == tokenizer.fim_prefix


def _no_files(folder: Path) -> None:
    (folder / "tokenizer.json").unlink()


def _cut_short(folder: Path) -> None:
    path = folder / "tokenizer.json"
    path.write_bytes(path.read_bytes()[:500])


def _changed(change: Callable[[dict[str, Any]], object]) -> Callable[[Path], None]:
    def spoil(folder: Path) -> None:
        path = folder / "tokenizer.json"
        content = json.loads(path.read_text("utf-8"))
        change(content)
        path.write_text(json.dumps(content), "utf-8")

    return spoil


def _two_ids(folder: Path) -> None:
    (folder / "added_tokens.json").write_text(json.dumps({"<|mask|>": 299}))


SPOILT: dict[str, tuple[Callable[[Path], None], str]] = {
    "no files": (_no_files, "has no tokenizer: tokenizer.json, or vocab.json and merges.txt"),
    "cut short": (_cut_short, "tokenizer.json is damaged; pull the model again"),
    "no model": (_changed(lambda c: c.pop("model")), "is damaged"),
    "another kind": (_changed(lambda c: c["model"].update(type="Unigram")), "kind Unigram"),
    "list for a vocabulary": (_changed(lambda c: c["model"].update(vocab=[1])), "is damaged"),
    "one id twice": (_changed(lambda c: c["model"]["vocab"].update(q=3, r=3)), "is damaged"),
    "a huge id": (_changed(lambda c: c["model"]["vocab"].update(x2=2**40)), "is damaged"),
    "a negative id": (_changed(lambda c: c["model"]["vocab"].update(x2=-5)), "is damaged"),
    "no token for a byte": (
        _changed(lambda c: c["model"]["vocab"].pop("a") and c["model"].update(merges=[])),
        "no token for byte 0x61",
    ),
    "a merge of unknown tokens": (
        _changed(lambda c: c["model"].update(merges=[["qq", "z"]])),
        "is damaged",
    ),
    "a merge of three": (_changed(lambda c: c["model"].update(merges=["a b c"])), "is damaged"),
    "text that would be lost": (
        _changed(lambda c: c.update(pre_tokenizer={"type": "Whitespace"})),
        "cuts text with Whitespace, which loses characters",
    ),
    "neither bytes nor fallback": (
        _changed(lambda c: c.update(pre_tokenizer=None)),
        "cannot write all text",
    ),
    "two ids for a marker": (_two_ids, r"two ids for <\|mask\|>"),
}


@pytest.mark.parametrize("name", SPOILT)
def test_what_is_wrong_is_said_in_one_line(name: str, tmp_path: Path) -> None:
    spoil, message = SPOILT[name]
    tiny.write_tokenizer(tmp_path, MARKERS)
    spoil(tmp_path)

    with pytest.raises(WeightsCorrupt, match=message) as caught:
        HubTokenizer(tmp_path)

    assert "\n" not in str(caught.value)
    assert str(tmp_path) in str(caught.value)


def test_damaged_older_files_are_told_of(tmp_path: Path) -> None:
    tiny.write_tokenizer(tmp_path, MARKERS, older=True)
    (tmp_path / "merges.txt").write_bytes(b"\xff\xfe a")

    with pytest.raises(WeightsCorrupt, match=r"merges\.txt is damaged"):
        HubTokenizer(tmp_path)
