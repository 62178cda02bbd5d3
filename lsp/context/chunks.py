"""Cutting a document into pieces of a bearable size, where its text has seams."""

from __future__ import annotations

from typing import TYPE_CHECKING

from midfill.lsp.context.view import LONGEST_LINE

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

MOST_LINES = 32
"""Of one chunk."""

FEWEST_LINES = 3
"""A shorter one says too little."""


def chunks(lines: Sequence[str], first: int, behind: int, characters: int) -> list[range]:
    """Lines ``first`` to ``behind`` in pieces, preferably cut at blank lines.

    Pieces are of at most `MOST_LINES` and about ``characters``; those that are too short, or hold
    lines that nobody wrote by hand, are left out.
    """
    pieces = []
    while first < behind:
        end = _end(lines, first, behind, characters)
        piece = range(first, end)
        text = lines[first:end]
        visible = sum(1 for line in text if line.strip())
        if visible >= FEWEST_LINES and not too_wide(text):
            pieces.append(piece)
        first = end
    return pieces


def too_wide(lines: Iterable[str]) -> bool:
    """Whether some line is longer than anybody writes by hand."""
    return any(len(line) > LONGEST_LINE for line in lines)


def _end(lines: Sequence[str], first: int, behind: int, characters: int) -> int:
    """Where a piece that starts at ``first`` ends: at the last blank line in its second half."""
    end, room = first + 1, characters - len(lines[first])
    limit = min(behind, first + MOST_LINES)
    while end < limit and len(lines[end]) <= room:
        room -= len(lines[end])
        end += 1
    if end == behind:
        return end
    middle = first + (end - first + 1) // 2
    blank = next((at for at in range(end - 1, middle, -1) if not lines[at].strip()), None)
    return end if blank is None else blank + 1
