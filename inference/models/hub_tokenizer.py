"""The tokenizer of a model's folder: text to token ids and back, without losing a byte.

Two kinds of vocabulary are read: byte-level BPE as Qwen2 and LLaDA have it, and BPE with byte
fallback as Gemma has it. What a publisher's tokenizer does to text beforehand (NFC, a space in
front) is left out: what is handed back must leave a user's text as it was.
"""

from __future__ import annotations

import json
from functools import cached_property
from typing import TYPE_CHECKING

import tokenizers

from midfill.inference.errors import WeightsCorrupt
from midfill.inference.models.token_ends import TokenEnds
from midfill.inference.models.tokenizer_files import SPACE, TokenizerFiles, read_tokenizer_files
from midfill.inference.text.utf8 import need_utf8, whole_text
from midfill.inference.tokenizer import byte_alphabet

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

_UTF8_BYTES = frozenset({*range(0xC0), *range(0xC2, 0xF5)})
"""The bytes that UTF-8 text can hold."""


class HubTokenizer:
    """A published tokenizer.

    Text never becomes a special token, whatever it says: a file that holds ``<|mask|>`` literally
    is encoded letter by letter. Special tokens are put in by their ids.

    Attributes:
        special_ids: the ids of markers, which stand for no text.
        size: ids are 0 … size - 1; not each of them need be a token.
    """

    def __init__(self, folder: Path) -> None:
        """Load the tokenizer of a model's folder.

        Raises:
            WeightsCorrupt: there is none, it is damaged, or it cannot write all text.
        """
        files = read_tokenizer_files(folder)
        _refuse_missing_bytes(files, folder)
        try:
            self._tokenizer = tokenizers.Tokenizer.from_str(_library_form(files))
        except Exception as error:  # the library raises a bare Exception
            raise WeightsCorrupt(
                f"the tokenizer in {folder} is damaged; pull the model again"
            ) from error
        self._files = files
        self.special_ids = frozenset(files.markers.values())
        self.size = 1 + max(*files.vocabulary.values(), *files.added.values(), *self.special_ids)

    def encode(self, text: str) -> list[int]:
        """The ids of ``text``; their bytes, joined, are its UTF-8 form.

        Raises:
            InvalidText: ``text`` holds a lone surrogate.
        """
        return [token for token, _ in self._pieces(text)]

    def encode_with_offsets(self, text: str) -> tuple[list[int], list[tuple[int, int]]]:
        """The ids of ``text``, and for each the characters [start, end) that it stands for.

        A character that is spread over several tokens belongs to each of them.

        Raises:
            InvalidText: ``text`` holds a lone surrogate.
        """
        pieces = list(self._pieces(text))
        return [token for token, _ in pieces], [offsets for _, offsets in pieces]

    def decode(self, ids: Sequence[int]) -> str:
        """The text of ``ids``, as far as it is valid UTF-8.

        A character whose last bytes are still to come is left out, and so is everything behind
        bytes that can never become one. Special tokens have no text.

        Raises:
            IndexError: there is no such id.
        """
        return whole_text(b"".join(map(self.token_bytes, ids)))

    def token_bytes(self, token: int) -> bytes:
        """The bytes that one token adds to the text; none for special tokens.

        Raises:
            IndexError: there is no such id.
        """
        if token < 0:
            raise IndexError(f"there is no token {token}")
        return self.vocabulary_bytes[token]

    @cached_property
    def vocabulary_bytes(self) -> Sequence[bytes]:
        """`token_bytes` of every id, in order."""
        vocabulary = [b""] * self.size
        spelled = _spelled_in_alphabet if self._files.byte_level else _spelled_with_fallback
        for text, token in self._files.vocabulary.items():
            vocabulary[token] = spelled(text)
        for text, token in self._files.added.items():
            vocabulary[token] = _plain(text, self._files).encode()
        return vocabulary

    @cached_property
    def ends(self) -> TokenEnds:
        """Which tokens begin or end with given bytes."""
        return TokenEnds(self.vocabulary_bytes)

    def special(self, content: str) -> int | None:
        """The id of the marker that is written ``content``; None if there is none."""
        return self._files.markers.get(content)

    def is_special(self, token: int) -> bool:
        """Whether the token is a marker rather than text."""
        return token in self.special_ids

    def _pieces(self, text: str) -> Iterator[tuple[int, tuple[int, int]]]:
        """Ids and offsets."""
        need_utf8(text)
        if self._files.byte_level:
            yield from self._stretch(text, 0)
            return
        # A literal "▁" would come back as a space, so it is written byte by byte.
        start = 0
        for stretch in text.split(SPACE):
            if start:
                for byte in SPACE.encode():
                    yield self._files.vocabulary[f"<0x{byte:02X}>"], (start - 1, start)
            yield from self._stretch(stretch, start)
            start += len(stretch) + 1

    def _stretch(self, text: str, at: int) -> Iterator[tuple[int, tuple[int, int]]]:
        encoding = self._tokenizer.encode(text, add_special_tokens=False)
        for token, (start, end) in zip(encoding.ids, encoding.offsets, strict=True):
            yield token, (at + start, at + end)


_CHARACTERS = byte_alphabet()


def _spelled_in_alphabet(text: str) -> bytes:
    """The bytes of a byte-level token; none where other characters show that it is a marker."""
    try:
        return bytes(_CHARACTERS[char] for char in text)
    except KeyError:
        return b""


def _spelled_with_fallback(text: str) -> bytes:
    if len(text) == 6 and text.startswith("<0x") and text.endswith(">"):
        return bytes.fromhex(text[3:5])
    return text.replace(SPACE, " ").encode()


def _plain(text: str, files: TokenizerFiles) -> str:
    return text if files.byte_level else text.replace(SPACE, " ")


def _refuse_missing_bytes(files: TokenizerFiles, folder: Path) -> None:
    """With a token for each byte there is no text that has no ids.

    Raises:
        WeightsCorrupt: a byte has none.
    """
    if files.byte_level:
        missing = {byte for char, byte in _CHARACTERS.items() if char not in files.vocabulary}
    else:
        missing = {byte for byte in range(256) if f"<0x{byte:02X}>" not in files.vocabulary}
    if missing := missing & _UTF8_BYTES:
        raise WeightsCorrupt(
            f"the vocabulary in {folder} has no token for byte 0x{min(missing):02X}, so it cannot "
            "write all text; pull the model again"
        )


def _library_form(files: TokenizerFiles) -> str:
    """A ``tokenizer.json`` that knows no markers at all, so that no text becomes one."""
    plain = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False}
    space = {"type": "Replace", "pattern": {"String": " "}, "content": SPACE}
    return json.dumps(
        {
            "version": "1.0",
            "added_tokens": [
                {"id": token, "content": text, **plain, "special": False}
                for text, token in files.added.items()
                if SPACE not in text
            ],
            "normalizer": None if files.byte_level else space,
            "pre_tokenizer": files.pre_tokenizer,
            "post_processor": None,
            "decoder": None,
            "model": {
                "type": "BPE",
                # The library gives added tokens the ids that the vocabulary has for them.
                "vocab": {**files.vocabulary, **files.added},
                "merges": files.merges,
                "byte_fallback": not files.byte_level,
                "ignore_merges": files.whole_words,
            },
        },
        ensure_ascii=False,
        separators=(",", ":"),
    )
