"""Lines that stand above the hole already."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from midfill.inference.postprocess.around import Drop

if TYPE_CHECKING:
    from midfill.inference.postprocess.around import Around

MEANINGFUL = 6
"""Lines of fewer letters and digits, such as ``end`` or ``break;``, may well be meant."""

NEAR = 20
"""So many lines above and below tell whether the document repeats itself."""


def no_repeated_prefix(fill: str, around: Around) -> str | Drop:
    """The fill, unless its lines only say again what the nearest visible lines above say.

    Indentation counts: the same words at another depth are something else. Where two equal lines
    follow each other nearby, as in tables, one more may be right.
    """
    above = around.lines_above
    said = _whole_lines(fill, around)
    if not said or not above or not fill.strip():
        return fill
    if sum(character.isalnum() for line in said for character in line) < MEANINGFUL:
        return fill
    echoes = said == above[-len(said) :] or all(line == above[-1] for line in said)
    return Drop.ECHO_ABOVE if echoes and not _repeats_itself(around, len(said)) else fill


def _whole_lines(fill: str, around: Around) -> list[str]:
    """The visible lines that the fill is or ends, as the document would have them."""
    lines = (around.line_before + fill + around.line_after).split("\n")
    return [line.rstrip() for line in lines if line.strip()]


def _repeats_itself(around: Around, count: int) -> bool:
    """Whether nearby lines do what the fill would do: say ``count`` lines twice, or one."""
    above, below = around.lines_above[-NEAR - 2 * count :], around.lines_below[:NEAR]
    if any(a == b for lines in (above[-NEAR:], below) for a, b in pairwise(lines)):
        return True
    return above[-count:] == above[-2 * count : -count]
