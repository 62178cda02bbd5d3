"""Healing at the edges of a hole: tokens cut at the cursor are given back and written again.

Models learn tokens of whole text. Where a hole begins inside a word, the piece of the word in front
of it is taken back from the prefix, and the first slot may hold only tokens that begin with it;
where a hole ends inside a word, the same in mirror image: the last slot ends with the piece.

Source: token healing, arXiv 2405.08704; one slot at each edge, and the right edge, are ours.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from midfill.inference.models.hub_tokenizer import HubTokenizer
    from midfill.inference.models.token_ends import TokenEnds

_PIECE_BEFORE = re.compile(r"(?:(?:[^\w\n\r]|_)?[^\W\d_]+| ?[^\w\s]+|[ \t])\Z")
"""The last word of a text with the blank or mark in front of it, its last marks, or its last blank.

Tokenizers join a mark to the word behind it: ``.append``, ``@property``, ``_name``.
"""

_PIECE_BEHIND = re.compile(r"\A[^\W\d_]+")
"""The word that a text begins with in its middle."""

LOOKED_AT = 80
"""Characters at an edge; of a longer word the end, or the beginning, is healed."""


@dataclass(frozen=True, slots=True)
class Edges:
    """What the first and the last slot have to spell, UTF-8; empty where nothing is owed."""

    left: bytes = b""
    right: bytes = b""

    @property
    def slots(self) -> int:
        """Slots that the edges take."""
        return max(1, bool(self.left) + bool(self.right))

    def inside(self, written: bytes, *, whole: bool = True) -> bytes | None:
        """What stands in the hole, of all that the slots spell; None if they spell no edge.

        Args:
            written: by the slots, from the first one on.
            whole: whether up to the last one; else nothing is owed on the right yet.
        """
        right = self.right if whole else b""
        end = len(written) - len(right)
        spelled = written.startswith(self.left) and written.endswith(right)
        return written[len(self.left) : end] if spelled and end >= len(self.left) else None


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
