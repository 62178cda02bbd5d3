"""A prompt, piece by piece."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from midfill.inference.wire_prompt import PromptPart, PromptPiece, ShownPrompt

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of a prompt: what it is, what it says, and its token ids."""

    part: PromptPart
    text: str
    ids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Layout:
    """What the model reads before it writes.

    Attributes:
        pieces: in their order.
        closing: with which the answer has to end; empty where its end is the model's.
    """

    pieces: tuple[Piece, ...]
    closing: str = ""

    @property
    def ids(self) -> list[int]:
        return [token for piece in self.pieces for token in piece.ids]


@dataclass(frozen=True, slots=True)
class Budget:
    """How many tokens of each part are sent."""

    prefix: int
    suffix: int
    context: int

    @classmethod
    def within(cls, room: int, prefix: int, suffix: int) -> Budget:
        """As much as was asked for, as far as the model's context has room.

        Args:
            room: tokens that are left for the prompt.
            prefix, suffix: tokens wanted.
        """
        room = max(0, room)
        suffix = max(0, min(suffix, room // 4))
        prefix = max(0, min(prefix, room - suffix))
        return cls(prefix, suffix, min(prefix, room - suffix - prefix))


def marker(name: str, token: int) -> Piece:
    return Piece(PromptPart.MARKER, name, (token,))


def shown(pieces: Sequence[Piece], model: str) -> ShownPrompt:
    """Every piece as people read it, the empty ones left out."""
    return ShownPrompt(
        model=model,
        pieces=tuple(
            PromptPiece(part=piece.part, text=piece.text, tokens=len(piece.ids))
            for piece in pieces
            if piece.ids
        ),
    )
