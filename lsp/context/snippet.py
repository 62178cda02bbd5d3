"""A piece of text that the model may read besides the document, and who offers such pieces."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Protocol

from midfill.inference.text.line_breaks import LINE_BREAK
from midfill.lsp.context.words import Words, words_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from midfill.lsp.context.readable_files import Stamp
    from midfill.lsp.context.view import View


class Stability(IntEnum):
    """How long a piece is likely to stay as it is; the most stable first."""

    DEFINITIONS = 0
    VISITED = 1
    EDITED = 2
    COPIED = 3


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a piece is from.

    Attributes:
        file: the path of a file, or the name of a document without one; empty for neither.
        shown: what the model is told of it.
    """

    file: str
    shown: str


@dataclass(frozen=True, slots=True)
class Snippet:
    """A piece of text on offer.

    Attributes:
        text: without a line break at its end.
        score: how much it may help, 0 … 1.
        stability: whose it is.
        words: of ``text``.
        made_of: lines, without the white space around them, that stand in the file as long as the
            piece is true.
        stamp: the state of the file, if it was read from the disk; None for what is open.
    """

    origin: Origin
    text: str
    score: float
    stability: Stability
    words: Words
    made_of: frozenset[str]
    stamp: Stamp | None = None


class Provider(Protocol):
    """One source of context.

    Attributes:
        tokens: for all that is on offer, about.
    """

    tokens: int

    @property
    def name(self) -> str:
        """What users call it."""

    def snippets(self, at: View) -> Sequence[Snippet]:
        """What there is for a place, from memory and within a millisecond."""


def snippet_of_lines(
    origin: Origin, lines: Iterable[str], score: float, stability: Stability
) -> Snippet:
    """A piece that is some lines of a file as they are."""
    text = "".join(lines).rstrip()
    return Snippet(origin, text, score, stability, words_of(text), stripped_lines([text]))


def stripped_lines(texts: Iterable[str]) -> frozenset[str]:
    """The lines of texts without the white space around them; blank ones are left out."""
    return frozenset(
        stripped for text in texts for line in LINE_BREAK.split(text) if (stripped := line.strip())
    )
