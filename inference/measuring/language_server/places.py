"""Places in real code where a line may be added."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_STATEMENT = re.compile(r" {4,}[a-z_]\w*(\.\w+)* = [\w.]+(\([\w., ]*\))?\s*$")
"""One statement on one line, in a body."""


class NoPlace(Exception):
    """There is no file, or no place in it, to measure at."""


def ends_of_statements(text: str) -> Mapping[str, int]:
    """Offsets behind one-line statements: near the top, in the middle and near the end.

    Raises:
        NoPlace: there is no such statement.
    """
    lines = text.split("\n")
    fit = [number for number, line in enumerate(lines) if _STATEMENT.match(line)]
    if not fit:
        raise NoPlace("no line of the file is a statement of its own")
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line) + 1)
    chosen = {"top": fit[0], "middle": _nearest(fit, len(lines) // 2), "end": fit[-1]}
    return {name: starts[line] + len(lines[line]) for name, line in chosen.items()}


def _nearest(numbers: Iterable[int], to: int) -> int:
    return min(numbers, key=lambda number: abs(number - to))
