"""Text to token ids and back, without losing a byte.

The tokenizer is byte-level BPE as Qwen2 has it, built from what a GGUF file carries, with one
difference on purpose: Qwen2 normalises text to NFC first, this one does not. A user's file may
hold decomposed text (an ``e`` and a combining acute accent); what Midfill hands back must leave it
as it was, and offsets into the text must be offsets into *that* text. On text that is in NFC,
which nearly all code is, the ids are the same as Qwen2's.
"""

from __future__ import annotations

import json
from functools import cached_property
from typing import TYPE_CHECKING

import tokenizers

from midfill.inference.errors import WeightsCorrupt
from midfill.inference.text.utf8 import need_utf8, whole_text

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from midfill.inference.models.embedded.gguf_file import GgufFile

PRE_TOKENIZER = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
"""How Qwen2 cuts text into words, which no token crosses.

Source: ``tokenizer.json`` of Qwen2.5; the same in `transformers`' ``Qwen2Tokenizer``.
"""

_NORMAL = 1
"""The GGUF token type of ordinary text; all others are markers, or padding of the vocabulary."""


def byte_alphabet() -> dict[str, int]:
    """The printable characters that byte-level BPE writes the 256 byte values with.

    Source: ``bytes_to_unicode`` of GPT-2.
    """
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in printable]
    alphabet = {chr(byte): byte for byte in printable}
    alphabet.update({chr(0x100 + i): byte for i, byte in enumerate(others)})
    return alphabet


def tokenizer_json(gguf: GgufFile) -> str:
    """What a ``tokenizer.json`` of the GGUF file's tokenizer holds.

    Every token that is not ordinary text becomes a special one: also the two user-defined tokens
    (``<tool_call>`` and its end), which source text may hold by chance, and the padding.

    Raises:
        WeightsCorrupt: the file carries no tokenizer.
    """
    tokens = gguf.strings("tokenizer.ggml.tokens")
    kinds = gguf.strings("tokenizer.ggml.token_type")
    merges = [merge.split(" ", 1) for merge in gguf.strings("tokenizer.ggml.merges")]
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "use_regex": False}
    added = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False}
    return json.dumps(
        {
            "version": "1.0",
            "added_tokens": [
                {"id": i, "content": token, **added, "special": True}
                for i, (token, kind) in enumerate(zip(tokens, kinds, strict=True))
                if kind != str(_NORMAL)
            ],
            "normalizer": None,
            "pre_tokenizer": {
                "type": "Sequence",
                "pretokenizers": [
                    {
                        "type": "Split",
                        "pattern": {"Regex": PRE_TOKENIZER},
                        "behavior": "Isolated",
                        "invert": False,
                    },
                    {**byte_level, "trim_offsets": False},
                ],
            },
            "post_processor": None,
            "decoder": {**byte_level, "trim_offsets": False},
            "model": {
                "type": "BPE",
                "vocab": {token: i for i, token in enumerate(tokens)},
                "merges": merges,
            },
        },
        ensure_ascii=False,
        separators=(",", ":"),
    )


_SPLIT = tokenizers.pre_tokenizers.Split(tokenizers.Regex(PRE_TOKENIZER), "isolated")


def _encodable(text: str) -> str:
    need_utf8(text)
    return text


class Tokenizer:
    """A ``tokenizer.json`` whose byte-level BPE Midfill can take apart.

    Text never becomes a special token, whatever it says: a file that holds ``<|endoftext|>``
    literally is encoded letter by letter. Special tokens are put in by their ids.

    Attributes:
        fim_prefix, fim_middle, fim_suffix, fim_pad: the markers of a fill in the middle.
        repo_name, file_sep: the markers before a repository's name and before each of its files.
        end_of_text, im_start, im_end: the end of a document; the markers around a chat turn.
        ends: the tokens that end a middle: end of text, pad, end of a turn, next file.
    """

    def __init__(self, path: Path) -> None:
        """Load a ``tokenizer.json``.

        Raises:
            WeightsCorrupt: it is not one, or lacks the markers.
        """
        try:
            self._tokenizer = tokenizers.Tokenizer.from_file(str(path))
        except Exception as error:  # the library raises a bare Exception
            raise WeightsCorrupt(
                f"{path} is not an intact tokenizer; `midfill model pull embedded` makes it anew"
            ) from error
        self._path = path
        self._tokenizer.encode_special_tokens = True
        self._special = frozenset(
            i for i, added in self._tokenizer.get_added_tokens_decoder().items() if added.special
        )
        self.fim_prefix = self._marker("<|fim_prefix|>")
        self.fim_middle = self._marker("<|fim_middle|>")
        self.fim_suffix = self._marker("<|fim_suffix|>")
        self.fim_pad = self._marker("<|fim_pad|>")
        self.repo_name = self._marker("<|repo_name|>")
        self.file_sep = self._marker("<|file_sep|>")
        self.end_of_text = self._marker("<|endoftext|>")
        self.im_start = self._marker("<|im_start|>")
        self.im_end = self._marker("<|im_end|>")
        self.ends = frozenset({self.end_of_text, self.fim_pad, self.im_end, self.file_sep})

    @property
    def size(self) -> int:
        """How many ids there are; they are 0 … size - 1."""
        return self._tokenizer.get_vocab_size()

    def encode(self, text: str) -> list[int]:
        """The ids of ``text``; their bytes, joined, are its UTF-8 form.

        Raises:
            InvalidText: ``text`` holds a lone surrogate.
        """
        return list(self._encoding(text).ids)

    def encode_with_offsets(self, text: str) -> tuple[list[int], list[tuple[int, int]]]:
        """The ids of ``text``, and for each the characters [start, end) that it stands for.

        A character that is spread over several tokens belongs to each of them.

        Raises:
            InvalidText: ``text`` holds a lone surrogate.
        """
        encoding = self._encoding(text)
        return list(encoding.ids), list(encoding.offsets)

    def last_word(self, text: str) -> str:
        """The last of the words that `PRE_TOKENIZER` cuts ``text`` into; no token crosses words.

        Raises:
            InvalidText: ``text`` holds a lone surrogate.
        """
        words = _SPLIT.pre_tokenize_str(_encodable(text))
        return text[words[-1][1][0] :] if words else ""

    def decode(self, ids: Sequence[int]) -> str:
        """The text of ``ids``, as far as it is valid UTF-8.

        A character whose last bytes are still to come is left out, and so is everything behind
        bytes that can never become one. Special tokens have no text.
        """
        return whole_text(b"".join(self.token_bytes(i) for i in ids))

    def token_bytes(self, token: int) -> bytes:
        """The bytes that one token adds to the text; none for special tokens.

        Raises:
            IndexError: there is no such token.
        """
        return self.vocabulary_bytes[token]

    @cached_property
    def vocabulary_bytes(self) -> Sequence[bytes]:
        """`token_bytes` of every id, in order."""
        alphabet = {ord(char): chr(byte) for char, byte in byte_alphabet().items()}
        vocabulary = [b""] * self.size
        for token, i in self._tokenizer.get_vocab().items():
            if i not in self._special:
                vocabulary[i] = token.translate(alphabet).encode("latin-1")
        return vocabulary

    def is_special(self, token: int) -> bool:
        """Whether the token is a marker or padding rather than text."""
        return token in self._special

    def _encoding(self, text: str) -> tokenizers.Encoding:
        return self._tokenizer.encode(_encodable(text), add_special_tokens=False)

    def _marker(self, token: str) -> int:
        found = self._tokenizer.token_to_id(token)
        if found is None:
            raise WeightsCorrupt(f"{self._path} has no {token}; it is of another model")
        return found
