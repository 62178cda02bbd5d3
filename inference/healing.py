"""Token healing: a partial token at the cursor is taken back and written again by the model.

Tokens are learnt from finished text. ``retu`` is tokenised as nobody would tokenise ``return``, and
four spaces of indentation as one token where the line that follows them would have three and a
word with its space. So the piece of text at the cursor is dropped from the context, and the first
tokens that the model writes must spell it again before they may go on.

Source: token healing, arXiv 2405.08704, section on the beginning of completions.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from midfill.inference.tokenizer import Tokenizer

LONGEST_PIECE = 80
"""Characters; a longer word, as in text written without spaces, is not healed."""


def partial_piece(tokenizer: Tokenizer, text: str) -> str:
    """The end of ``text`` that more typing could make part of a longer token.

    That is its last word, as the tokenizer cuts words before it looks for tokens in them: letters
    with the space or mark in front of them, marks with the space in front of them, or blanks. A
    line break is no part of what follows it, nor is a digit, since each is a token of its own.
    """
    word = tokenizer.last_word(text[-2 * LONGEST_PIECE :])
    healed = word[-1:] not in "\r\n" and not word.isnumeric() and len(word) <= LONGEST_PIECE
    return word if healed else ""


class Vocabulary:
    """The bytes of every token, and which tokens may begin or continue a given text."""

    def __init__(self, token_bytes: Sequence[bytes]) -> None:
        """Takes the bytes of each token id; empty for ids that never stand for text."""
        self._token_bytes = token_bytes

    def __len__(self) -> int:
        return len(self._token_bytes)

    def bytes_of(self, token: int) -> bytes:
        return self._token_bytes[token]

    @cached_property
    def _sorted(self) -> tuple[list[bytes], Tensor]:
        """The texts of all tokens that have one, in order, and their tokens."""
        order = sorted(
            (token for token, text in enumerate(self._token_bytes) if text),
            key=self._token_bytes.__getitem__,
        )
        return [self._token_bytes[token] for token in order], torch.tensor(order)

    def agreeing(self, text: bytes) -> Tensor:
        """Tokens that begin with ``text``, or that are themselves a beginning of it.

        Args:
            text: the beginning of valid UTF-8, not empty.

        Returns:
            (tokens,) long.
        """
        texts, tokens = self._sorted
        just_behind = text[:-1] + bytes([text[-1] + 1])  # no byte of UTF-8 is 255
        spans = [(bisect_left(texts, text), bisect_left(texts, just_behind))]
        spans += [
            (bisect_left(texts, text[:length]), bisect_right(texts, text[:length]))
            for length in range(1, len(text))
        ]
        return torch.cat([tokens[first:behind] for first, behind in spans])


@dataclass(frozen=True, slots=True)
class Healing:
    """What the model's next tokens have to spell before they are free.

    Attributes:
        owed: UTF-8 bytes still to be spelled; empty when nothing is.
    """

    vocabulary: Vocabulary
    owed: bytes = b""

    def after(self, token: int) -> Healing:
        """The state once ``token`` is written. A token that spells something else clears it."""
        if not self.owed:
            return self
        written = self.vocabulary.bytes_of(token)
        owed = self.owed[len(written) :] if self.owed.startswith(written) else b""
        return Healing(self.vocabulary, owed)

    def permitted(self, held: Sequence[int]) -> list[Tensor]:
        """Which tokens may come next, and behind each token held, as long as anything is owed.

        Args:
            held: tokens that may be written next.

        Returns:
            At most one more than are held, (tokens,) long each; none where nothing is owed.
        """
        permitted: list[Tensor] = []
        healing = self
        for token in held:
            if not healing.owed:
                return permitted
            permitted.append(self.vocabulary.agreeing(healing.owed))
            healing = healing.after(token)
        return [*permitted, self.vocabulary.agreeing(healing.owed)] if healing.owed else permitted
