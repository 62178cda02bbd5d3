"""Two blanks where a fill meets the text around it, one from each side."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from midfill.inference.postprocess.around import LONG_FILL
from midfill.inference.syntax.parsing import parse
from midfill.inference.syntax.place import Place, place_at

if TYPE_CHECKING:
    from midfill.inference.postprocess.around import Around

BLANKS = " \t"
COMMENT_MARKS = ("#", "//", "/*", "--", ";", "<!--", "*/", "-->")
"""In front of these, and of a backslash at a line's end, more than one blank is usual."""

_QUOTES = "\"'`"

_COMMENT_BEGINS = re.compile(r"[ \t]*(?:[*#;%]+|//+!?|--)[ \t]*")
"""What follows is indented within the comment."""


def without_doubled_space(fill: str, around: Around) -> str:
    """The fill without blanks at its ends where the text around it has one already.

    Indentation, columns that line up with a line beside them, strings and Markdown stay.
    """
    if around.grammar == "markdown" or len(fill) > LONG_FILL:
        return fill
    if _doubled_before(fill, around) and not _in_string("", around):
        fill = fill.lstrip(BLANKS)
    if _doubled_behind(fill, around) and not _in_string(fill, around):
        fill = fill.rstrip(BLANKS)
    return fill


def _doubled_before(fill: str, around: Around) -> bool:
    line = around.line_before
    visible = fill.lstrip(BLANKS)
    if visible == fill or not line.strip() or line[-1] not in BLANKS or line[-2] in BLANKS:
        return False
    return not (
        _COMMENT_BEGINS.fullmatch(line)
        or _wants_room(visible or around.line_after.lstrip(BLANKS))
        or _lines_up(line + fill[: len(fill) - len(visible)], around)
    )


def _doubled_behind(fill: str, around: Around) -> bool:
    rest = around.line_after
    if fill[-1:] not in BLANKS or rest[:1] not in BLANKS or not fill or not rest.strip():
        return False
    last = fill[fill.rfind("\n") + 1 :]
    line = last if "\n" in fill else around.line_before + last
    visible = rest.lstrip(BLANKS)
    return bool(line.strip()) and not (
        _wants_room(visible) or _lines_up(line + rest[: len(rest) - len(visible)], around)
    )


def _wants_room(visible: str) -> bool:
    return visible.startswith(COMMENT_MARKS) or visible.partition("\n")[0].strip() == "\\"


def _lines_up(line: str, around: Around) -> bool:
    """Whether something begins at the end of ``line`` in the next line above or below, too."""
    column = len(line)
    return any(
        beside[column : column + 1].strip() and beside[column - 1] in BLANKS
        for beside in (*around.lines_above[-1:], *around.lines_below[:1])
    )


def _in_string(fill: str, around: Around) -> bool:
    """Whether what follows ``fill`` is inside a string."""
    if around.grammar is None:
        line = (around.line_before + fill)[(around.line_before + fill).rfind("\n") + 1 :]
        return any(line.count(quote) % 2 for quote in _QUOTES)
    before = around.before + fill
    return place_at(parse(before + around.after, around.grammar), len(before)) is Place.STRING
