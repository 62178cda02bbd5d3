"""Python: a fill that leaves the block it stands in while the block goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from midfill.inference.postprocess.line_starts import LineStart, line_starts
from midfill.inference.text.indentation import indentation

if TYPE_CHECKING:
    from midfill.inference.postprocess.around import Around


def before_dedent(fill: str, around: Around) -> str:
    """The fill up to its first line that is indented less than the block it began in.

    Only where the line is out of place: nothing visible follows, or what follows is indented
    deeper than the fill leaves off. Else a dedent mostly belongs to the middle.
    """
    if around.grammar != "python" or "\n" not in fill:
        return fill
    lines = fill.split("\n")
    first = around.line_before + lines[0]
    scope = _scope(lines, around)
    candidates = [
        number
        for number, line in enumerate(lines)
        if number and line.strip() and indentation(line) < scope
    ]
    if not candidates or (around.lines_above and around.lines_above[-1].endswith("\\")):
        return fill
    starts = line_starts(fill, around)
    if starts is None or starts.hole is not LineStart.STATEMENT:
        return fill
    dedents = [number for number in candidates if starts.lines[number] is LineStart.STATEMENT]
    if not dedents or not _out_of_place(lines, starts.behind, around):
        return fill
    cut = dedents[0]
    if not any(line.strip() for line in (first, *lines[1:cut])):
        return fill
    return "\n".join(lines[:cut]).rstrip()


def _scope(lines: list[str], around: Around) -> int:
    """The columns of the block that the fill begins in; behind a colon, of the one it opens."""
    first = around.line_before + lines[0]
    if first.strip() and not around.line_before.rstrip().endswith(":"):
        return indentation(first)
    return next((indentation(line) for line in lines[1:] if line.strip()), 0)


def _out_of_place(lines: list[str], behind: LineStart, around: Around) -> bool:
    """Whether what follows cannot follow the fill's last line."""
    last = next(line for line in reversed(lines) if line.strip())
    following = [line for line in around.lines_below if not line.lstrip().startswith("#")]
    if not following:
        return not around.line_after.strip()
    goes_on = behind is not LineStart.STATEMENT or (last + around.line_after).rstrip().endswith(":")
    return not goes_on and indentation(following[0]) > indentation(last)
