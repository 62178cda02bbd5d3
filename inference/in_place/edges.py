"""Healing at the edges of a hole: tokens cut at the cursor are given back and written again.

Models learn tokens of whole text. Where a hole begins inside a word, the piece of the word in front
of it is taken back from the prefix, and the first slot may hold only tokens that begin with it;
where a hole ends inside a word, the same in mirror image: the last slot ends with the piece.

Source: token healing, arXiv 2405.08704; one slot at each edge, and the right edge, are ours.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch import Tensor

    from midfill.inference.models.hub_tokenizer import HubTokenizer

_PIECE_BEFORE = re.compile(r"(?: ?[^\W\d_]+| ?[^\w\s]+|[ \t])\Z")
"""The last word of a text with the blank in front of it, its last marks, or its last blank."""

_PIECE_BEHIND = re.compile(r"\A[^\W\d_]+")
"""The word that a text begins with in its middle. Marks and blanks begin tokens of their own."""

LOOKED_AT = 80
"""Characters; a longer word is not healed."""


@dataclass(frozen=True, slots=True)
class Edges:
    """What the first and the last slot have to spell, UTF-8; empty where nothing is owed."""

    left: bytes = b""
    right: bytes = b""

    @property
    def slots(self) -> int:
        """Slots that the edges take."""
        return max(1, bool(self.left) + bool(self.right))

    def inside(self, written: bytes) -> bytes | None:
        """What stands in the hole, of all that the slots spell; None if they spell no edge."""
        end = len(written) - len(self.right)
        spelled = written.startswith(self.left) and written.endswith(self.right)
        return written[len(self.left) : end] if spelled and end >= len(self.left) else None


class TokenEnds:
    """Which tokens of a vocabulary begin, or end, with given bytes."""

    def __init__(self, vocabulary: Sequence[bytes]) -> None:
        """Takes the bytes of each id; empty for ids that never stand for text."""
        self._vocabulary = vocabulary

    def beginning_with(self, text: bytes) -> Tensor:
        """(tokens,) long, rising by their bytes. ``text`` is UTF-8 and not empty."""
        return _span(self._forwards, text)

    def ending_with(self, text: bytes) -> Tensor:
        """(tokens,) long."""
        return _span(self._backwards, text[::-1])

    @cached_property
    def _forwards(self) -> tuple[list[bytes], Tensor]:
        return _sorted(list(self._vocabulary))

    @cached_property
    def _backwards(self) -> tuple[list[bytes], Tensor]:
        return _sorted([text[::-1] for text in self._vocabulary])


def cut_at_edges(
    tokenizer: HubTokenizer, ends: TokenEnds, prefix: str, suffix: str, *, right: bool
) -> tuple[str, Edges, str]:
    """Take back pieces of words at both edges of a hole.

    The whole piece if any token begins with it, else as much as the last token spells.

    Args:
        tokenizer: the model's.
        ends: of its vocabulary.
        prefix, suffix: the text around the hole.
        right: whether the right edge is healed too.

    Returns:
        The prefix and the suffix without the pieces, and between them what is owed.
    """
    left = b""
    if found := _PIECE_BEFORE.search(prefix[-LOOKED_AT:]):
        left = found[0].encode()
        if not len(ends.beginning_with(left)):
            left = tokenizer.token_bytes(tokenizer.encode(found[0])[-1])
        left = _whole_characters(left, found[0].encode().endswith)
        prefix = prefix[: len(prefix) - len(left.decode())]
    owed_right = b""
    if right and (found := _PIECE_BEHIND.search(suffix[:LOOKED_AT])):
        owed_right = found[0].encode()
        if not len(ends.ending_with(owed_right)):
            owed_right = tokenizer.token_bytes(tokenizer.encode(found[0])[0])
        owed_right = _whole_characters(owed_right, found[0].encode().startswith)
        suffix = suffix[len(owed_right.decode()) :]
    return prefix, Edges(left, owed_right), suffix


def _whole_characters(piece: bytes, fits: Callable[[bytes], bool]) -> bytes:
    """The piece, or nothing where a token cuts a character in two or spells something else."""
    try:
        piece.decode()
    except UnicodeDecodeError:
        return b""
    return piece if fits(piece) else b""


def _sorted(texts: list[bytes]) -> tuple[list[bytes], Tensor]:
    order = sorted((i for i, text in enumerate(texts) if text), key=texts.__getitem__)
    return [texts[i] for i in order], torch.tensor(order, dtype=torch.long)


def _span(table: tuple[list[bytes], Tensor], text: bytes) -> Tensor:
    texts, tokens = table
    just_behind = text[:-1] + bytes([text[-1] + 1]) if text[-1] < 255 else text + b"\xff"
    return tokens[bisect_left(texts, text) : bisect_left(texts, just_behind)]
