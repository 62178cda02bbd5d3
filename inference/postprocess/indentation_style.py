"""Lines that are indented with tabs where the document has blanks, or the other way round."""

from __future__ import annotations

from typing import TYPE_CHECKING

from midfill.inference.postprocess.around import LONG_FILL
from midfill.inference.postprocess.line_starts import LineStart, line_starts

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from midfill.inference.postprocess.around import Around

USUAL_WIDTH = 4
"""Blanks of one level, where the text does not tell."""

WIDTHS = (2, 3, 4, 8)

NEAR = 60
"""So many lines above and below tell how the document is indented."""


def in_style_of_document(fill: str, around: Around) -> str:
    """The fill with its lines indented by what the lines around it are: tabs, or blanks.

    The first line goes on at the hole and stays, and so does what is inside strings and comments.
    Where both are in use, the nearest indented line decides; without one, or where no grammar tells
    what a string is, nothing is changed.
    """
    if "\n" not in fill or len(fill) > LONG_FILL:
        return fill
    nearby = _indentations(_by_distance(around))
    if not nearby:
        return fill
    tabs = nearby[0][0] == "\t"
    lines = fill.split("\n")
    foreign = [
        number
        for number, line in enumerate(lines)
        if number and line.strip() and (" " if tabs else "\t") in _indentation(line)
    ]
    starts = line_starts(fill, around) if foreign else None
    if starts is None:
        return fill
    width = _width(_indentations(lines[1:]) if tabs else nearby)
    for number in foreign:
        if starts.lines[number] in (LineStart.STATEMENT, LineStart.BRACKET):
            lines[number] = (
                _in_tabs(lines[number], width) if tabs else _in_blanks(lines[number], width)
            )
    return "\n".join(lines)


def _by_distance(around: Around) -> list[str]:
    """The hole's own line, then those above and below it in turn."""
    above, below = around.lines_above[: -NEAR - 1 : -1], around.lines_below[:NEAR]
    lines = [around.line_before]
    for number in range(max(len(above), len(below))):
        lines += [*above[number : number + 1], *below[number : number + 1]]
    return lines


def _indentation(line: str) -> str:
    return line[: len(line) - len(line.lstrip(" \t"))]


def _indentations(lines: Iterable[str]) -> list[str]:
    return [indentation for line in lines if (indentation := _indentation(line))]


def _width(indentations: Sequence[str]) -> int:
    """The blanks of one level: the widest by which all of the indentations can be divided."""
    blanks = [len(one) for one in indentations if "\t" not in one]
    fitting = [width for width in WIDTHS if all(count % width == 0 for count in blanks)]
    smallest = min(blanks, default=USUAL_WIDTH)
    return max((width for width in fitting if width <= smallest), default=USUAL_WIDTH)


def _in_tabs(line: str, width: int) -> str:
    """Blanks that make no whole level stay: they line something up."""
    indentation = _indentation(line)
    levels, rest = divmod(len(indentation.expandtabs(width)), width)
    return "\t" * levels + " " * rest + line[len(indentation) :]


def _in_blanks(line: str, width: int) -> str:
    indentation = _indentation(line)
    return indentation.expandtabs(width) + line[len(indentation) :]
