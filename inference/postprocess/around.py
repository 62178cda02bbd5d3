"""What the rules are given, and what they answer."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

FAR = 8192
"""Characters before and behind a hole that the rules look at, at most."""

LONG_FILL = 32 * 1024
"""A fill of more characters comes from no model; rules that read its syntax leave it alone."""


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
    def line_before(self) -> str:
        """The hole's line up to the hole."""
        return self.before[self.before.rfind("\n") + 1 :]

    @property
    def line_after(self) -> str:
        """What is left of the line on which the hole ends."""
        return self.after.partition("\n")[0]

    @property
    def lines_above(self) -> list[str]:
        """The visible lines above the hole's own, with their indentation, the nearest last."""
        lines = self.before.split("\n")[:-1]
        return [line.rstrip() for line in lines if line.strip()]

    @property
    def lines_below(self) -> list[str]:
        """The visible lines behind the hole's own, with their indentation."""
        lines = self.after.split("\n")[1:]
        return [line.rstrip() for line in lines if line.strip()]

    @property
    def next_lines(self) -> list[str]:
        """The visible lines behind the hole's own, without the white space around them."""
        return [line.strip() for line in self.lines_below]


class Drop(StrEnum):
    """Why a fill is not worth showing."""

    ECHO = "echo"
    ECHO_ABOVE = "echo-above"
    REPETITION = "repetition"
    TRIFLE = "trifle"
    BREAKS_SYNTAX = "breaks-syntax"

    @property
    def sentence(self) -> str:
        """For the user."""
        return _SENTENCES[self]


_SENTENCES = {
    Drop.ECHO: "The suggestion only said what the next line says.",
    Drop.ECHO_ABOVE: "The suggestion only said again what stands above.",
    Drop.REPETITION: "The suggestion only repeated itself.",
    Drop.TRIFLE: "The suggestion was too short to be of use.",
    Drop.BREAKS_SYNTAX: "The suggestion would have broken the syntax.",
}
