"""How far lines are indented."""

from __future__ import annotations

TAB_WIDTH = 4


def indentation(line: str) -> int:
    """The columns before a line's first visible character; all of them if there is none."""
    expanded = line.expandtabs(TAB_WIDTH)
    return len(expanded) - len(expanded.lstrip())
