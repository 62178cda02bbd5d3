"""The lines of a text that is edited: an edit costs the same wherever it is."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import overload

from midfill.lsp.text_positions import split_lines

COUNTED_AT_ONCE = 32


class Lines(Sequence[str]):
    """Lines with their breaks; there is always at least one, the last one without a break.

    Where lines start is counted from the top only as far as somebody has asked, and kept until an
    edit above: an editor's next question is nearly always about the place of its last edit.
    """

    def __init__(self, text: str) -> None:
        self._lines = list(split_lines(text))
        self._starts = [0]  # of the first lines; as many as are known

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> list[str]: ...
    def __getitem__(self, index: int | slice) -> str | list[str]:
        return self._lines[index]

    def __len__(self) -> int:
        return len(self._lines)

    def start(self, line: int) -> int:
        """The offset at which a line starts, in characters of the text."""
        self._count_up_to(line)
        return self._starts[line]

    def line_at(self, offset: int) -> int:
        """The line in which an offset stands; behind a break that is the next line."""
        while self._starts[-1] <= offset and len(self._starts) < len(self._lines):
            self._count_up_to(min(len(self._starts) + COUNTED_AT_ONCE, len(self._lines) - 1))
        return bisect_right(self._starts, offset) - 1

    def replace(self, start: tuple[int, int], end: tuple[int, int], text: str) -> None:
        """Put ``text`` in place of what stands between two places, each a line and a column."""
        (first, from_column), (last, to_column) = start, end
        changed = self._lines[first][:from_column] + text + self._lines[last][to_column:]
        # A break in two characters may come together, or apart, across the edit's borders.
        if first > 0:
            first -= 1
            changed = self._lines[first] + changed
        if last + 1 < len(self._lines):
            last += 1
            changed += self._lines[last]
        lines = split_lines(changed)
        if last + 1 < len(self._lines):
            lines = lines[:-1]  # the empty one behind the last break
        self._lines[first : last + 1] = lines
        del self._starts[first + 1 :]

    def _count_up_to(self, line: int) -> None:
        at = self._starts[-1]
        for number in range(len(self._starts) - 1, line):
            at += len(self._lines[number])
            self._starts.append(at)
