"""What the files of a published tokenizer say, in the one form that `HubTokenizer` works with.

A repository has a ``tokenizer.json``, or the older pair ``vocab.json`` and ``merges.txt``; markers
stand in those, in ``tokenizer_config.json``, in ``added_tokens.json``, or in all of them.

Source: the formats as `tokenizers` and `transformers` read and write them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from midfill.inference.errors import WeightsCorrupt
from midfill.inference.models.added_tokens import added_tokens, is_id
from midfill.inference.models.json_file import read_json
from midfill.inference.tokenizer import PRE_TOKENIZER

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

SPACE = "▁"
"""What vocabularies with byte fallback write a space with."""

_LOSSLESS = {"Digits", "Punctuation", "UnicodeScripts", "Split", "Metaspace", "ByteLevel"}
"""The ways to cut text into words that leave out nothing, once told to."""


@dataclass(frozen=True, slots=True)
class TokenizerFiles:
    """A published tokenizer.

    Attributes:
        vocabulary: the ids of tokens that are text, as the vocabulary spells them.
        merges: which two tokens become one, the most urgent first.
        added: the ids of tokens that stand for exactly their text, which no merge makes.
        markers: the ids of tokens that never are text.
        pre_tokenizer: how text is cut into words, as in a ``tokenizer.json``; None if it is not.
        byte_level: whether the vocabulary is spelled in `byte_alphabet`; else it has a token for
            each byte, and `SPACE`.
        whole_words: whether a word that is a token is taken as it is, merges or not.
    """

    vocabulary: Mapping[str, int]
    merges: list[tuple[str, str]]
    added: Mapping[str, int]
    markers: Mapping[str, int]
    pre_tokenizer: dict[str, Any] | None
    byte_level: bool
    whole_words: bool


def read_tokenizer_files(folder: Path) -> TokenizerFiles:
    """Read the tokenizer of a model's folder.

    Raises:
        WeightsCorrupt: there is none, it is damaged, or text would not come back from it as it was.
    """
    try:
        return _read(folder)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise WeightsCorrupt(
            f"the tokenizer in {folder} is damaged ({type(error).__name__}); pull the model again"
        ) from error


def _read(folder: Path) -> TokenizerFiles:
    path = folder / "tokenizer.json"
    if path.is_file():
        published = read_json(path)
        model = published["model"]
    elif (folder / "vocab.json").is_file() and (folder / "merges.txt").is_file():
        published = {"pre_tokenizer": _AS_QWEN2}
        model = {
            "vocab": read_json(folder / "vocab.json"),
            "merges": _merge_lines(folder / "merges.txt"),
        }
    else:
        raise WeightsCorrupt(
            f"{folder} has no tokenizer: tokenizer.json, or vocab.json and merges.txt, is needed"
        )
    if model.get("type", "BPE") != "BPE" or model.get("end_of_word_suffix"):
        raise WeightsCorrupt(
            f"the tokenizer in {folder} is of kind {model.get('type')}; only BPE is supported"
        )
    pre_tokenizer = _lossless(published.get("pre_tokenizer"), folder)
    byte_level = "ByteLevel" in {part["type"] for part in _parts(pre_tokenizer)}
    if not byte_level and not model.get("byte_fallback"):
        raise WeightsCorrupt(
            f"the tokenizer in {folder} is not byte-level and has no byte fallback, so it cannot "
            "write all text"
        )
    vocabulary = _ids(model["vocab"], folder)
    markers, added = added_tokens(folder, published, vocabulary)
    merges = [_pair(merge) for merge in model["merges"]]
    return _without_markers(
        TokenizerFiles(
            vocabulary,
            merges,
            added,
            markers,
            pre_tokenizer,
            byte_level,
            bool(model.get("ignore_merges")),
        )
    )


_AS_QWEN2: dict[str, Any] = {
    "type": "Sequence",
    "pretokenizers": [
        {
            "type": "Split",
            "pattern": {"Regex": PRE_TOKENIZER},
            "behavior": "Isolated",
            "invert": False,
        },
        {"type": "ByteLevel", "add_prefix_space": False, "use_regex": False},
    ],
}
"""How the models cut text that are published with the older pair of files."""


def _merge_lines(path: Path) -> list[str]:
    try:
        lines = path.read_text("utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise WeightsCorrupt(f"{path} is damaged; pull the model again") from error
    if lines[0].startswith("#version"):
        del lines[0]
    return [line for line in lines if line.strip()]


def _pair(merge: str | list[str]) -> tuple[str, str]:
    left, right = merge.split(" ") if isinstance(merge, str) else merge
    return left, right


def _ids(vocabulary: Mapping[str, int], folder: Path) -> dict[str, int]:
    ids = dict(vocabulary.items())
    if len(set(ids.values())) != len(ids) or not all(map(is_id, ids.values())):
        raise WeightsCorrupt(f"the vocabulary in {folder} is damaged; pull the model again")
    return ids


def _parts(pre_tokenizer: dict[str, Any] | None) -> Iterator[dict[str, Any]]:
    """A pre-tokenizer's parts, one behind the other."""
    if pre_tokenizer is None:
        return
    if pre_tokenizer["type"] == "Sequence":
        for part in pre_tokenizer["pretokenizers"]:
            yield from _parts(part)
    else:
        yield pre_tokenizer


def _lossless(pre_tokenizer: dict[str, Any] | None, folder: Path) -> dict[str, Any] | None:
    """The same pre-tokenizer, but it adds no space in front of the text, nor drops anything."""
    parts = []
    for part in _parts(pre_tokenizer):
        if part["type"] not in _LOSSLESS or part.get("behavior") == "Removed":
            raise WeightsCorrupt(
                f"the tokenizer in {folder} cuts text with {part['type']}, which loses characters"
            )
        part = dict(part)
        if part["type"] == "ByteLevel":
            part |= {"add_prefix_space": False, "trim_offsets": False}
        elif part["type"] == "Metaspace":
            split = part.get("split", True)
            part = {"type": "Metaspace", "replacement": SPACE, "prepend_scheme": "never"}
            part["split"] = split
        parts.append(part)
    return {"type": "Sequence", "pretokenizers": parts} if parts else None


def _without_markers(files: TokenizerFiles) -> TokenizerFiles:
    """The same, but no merge leads to a marker or to the token of a byte."""
    taken = set(files.markers.values())
    hidden = set(files.markers)
    hidden.update(text for text, token in files.vocabulary.items() if token in taken)
    closed = hidden if files.byte_level else hidden | {f"<0x{byte:02X}>" for byte in range(256)}
    return TokenizerFiles(
        {text: token for text, token in files.vocabulary.items() if text not in hidden},
        [
            (left, right)
            for left, right in files.merges
            if left + right not in closed and left not in hidden and right not in hidden
        ],
        files.added,
        files.markers,
        files.pre_tokenizer,
        files.byte_level,
        files.whole_words,
    )
