"""What somebody has before their eyes where they type."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from midfill.lsp.context.words import Words, words_of

if TYPE_CHECKING:
    from collections.abc import Sequence

NEAR_LINES = 32
"""Lines above the cursor, and below it, that count as the text around it."""

FOCUS_ABOVE, FOCUS_BELOW = 12, 4
"""Lines around the cursor whose names are most likely needed."""

READ_ABOVE, READ_BELOW = 3000, 200
"""Characters above and below the cursor that the model reads anyway, about."""

LONGEST_LINE = 400
"""Of a longer line, only the beginning is looked at: nobody wrote it by hand."""


@dataclass(frozen=True, slots=True)
class View:
    """A cursor, and what is around it.

    Attributes:
        uri: of the document.
        line: the cursor's, from 0.
        near: words of the text around the cursor.
        focus: words of the lines next to it.
        read: lines of the document that the model reads anyway.
    """

    uri: str
    line: int
    near: Words
    focus: Words
    read: range


def view_at(uri: str, lines: Sequence[str], line: int) -> View:
    """What is around a line; costs the same in documents of any size.

    Args:
        lines: of the document, with their breaks; at least one.
        line: from 0; one behind the end means the last.
    """
    line = max(0, min(line, len(lines) - 1))
    return View(
        uri=uri,
        line=line,
        near=_words(lines, line - NEAR_LINES, line + NEAR_LINES + 1),
        focus=_words(lines, line - FOCUS_ABOVE, line + FOCUS_BELOW + 1),
        read=_read_anyway(lines, line),
    )


def _words(lines: Sequence[str], first: int, behind: int) -> Words:
    return words_of("\n".join(text[:LONGEST_LINE] for text in lines[max(first, 0) : behind]))


def _read_anyway(lines: Sequence[str], line: int) -> range:
    first, room = line, READ_ABOVE
    while first > 0 and room > 0:
        first -= 1
        room -= len(lines[first])
    behind, room = line + 1, READ_BELOW
    while behind < len(lines) and room > 0:
        room -= len(lines[behind])
        behind += 1
    return range(first, behind)
