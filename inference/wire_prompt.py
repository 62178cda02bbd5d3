"""What the engine says about a prompt: ``POST /v1/prompt`` takes an `InfillRequest`, fills nothing,
and answers a `ShownPrompt`."""

from __future__ import annotations

from enum import StrEnum

from midfill.inference.wire import WireModel


class PromptPart(StrEnum):
    """What a piece of a prompt is."""

    MARKER = "marker"
    """A special token; its text is the token's name."""
    CONTEXT = "context"
    """The repository's name, or a file of the request's context with its path."""
    SUFFIX = "suffix"
    PREFIX = "prefix"


class PromptPiece(WireModel):
    """A stretch of a prompt.

    Bytes that are no whole character, as a window may begin or end in the middle of one, are
    written as ``\\xe2``.
    """

    part: PromptPart
    text: str
    tokens: int


class ShownPrompt(WireModel):
    """A prompt as the model is given it, piece by piece in its order."""

    model: str
    pieces: tuple[PromptPiece, ...]
    owed: str = ""
    """The partial token at the cursor: taken back, and the first thing the model has to write."""
    owed_tokens: int = 0
    """So many tokens it would be as it stands."""
    owed_behind: str = ""
    """The partial token behind the hole, taken back likewise; the last thing it has to write."""

    @property
    def text(self) -> str:
        """All of it, markers by their names."""
        return "".join(piece.text for piece in self.pieces)

    def tokens(self, part: PromptPart | None = None) -> int:
        """The tokens of one part, or of all of them."""
        return sum(piece.tokens for piece in self.pieces if part in (None, piece.part))
