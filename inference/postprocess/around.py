"""What the rules are given, and what they answer."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

FAR = 8192
"""Characters before and behind a hole that the rules look at, at most."""


@dataclass(frozen=True, slots=True)
class Around:
    """The text around a fill, with ``\\n`` line breaks.

    Attributes:
        before: at most `FAR` characters.
        after: at most `FAR` characters.
        grammar: of the document, if there is one for it.
    """

    before: str
    after: str
    grammar: str | None = None

    @property
    def next_lines(self) -> list[str]:
        """The visible lines behind the hole's own, without the white space around them."""
        lines = self.after.split("\n")[1:]
        return [line.strip() for line in lines if line.strip()]


class Drop(StrEnum):
    """Why a fill is not worth showing."""

    ECHO = "echo"
    REPETITION = "repetition"
    TRIFLE = "trifle"
    BREAKS_SYNTAX = "breaks-syntax"

    @property
    def sentence(self) -> str:
        """For the user."""
        return _SENTENCES[self]


_SENTENCES = {
    Drop.ECHO: "The suggestion only said what the next line says.",
    Drop.REPETITION: "The suggestion only repeated itself.",
    Drop.TRIFLE: "The suggestion was too short to be of use.",
    Drop.BREAKS_SYNTAX: "The suggestion would have broken the syntax.",
}
