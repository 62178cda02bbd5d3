"""Text that somebody else wrote, fit to be shown: a terminal does what its characters tell it."""

from __future__ import annotations

_LONGEST = 500


def printable(text: str) -> str:
    """The text with a space for each character that is not there to be seen."""
    return "".join(char if char.isprintable() else " " for char in text)


def one_line(text: str) -> str:
    """The text as one line of at most 500 characters, without characters that steer a terminal."""
    line = " ".join(printable(text).split())
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 1]}…"
