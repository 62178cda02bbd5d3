"""A model that goes round in circles."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from midfill.inference.postprocess.around import Drop

if TYPE_CHECKING:
    from midfill.inference.postprocess.around import Around

MOST_EQUAL_LINES = 3
_CIRCLES = re.compile(
    r"(?P<unit>[^\n]{3,9}?)(?P=unit){5,}$|(?P<longer>[^\n]{10,80}?)(?P=longer){3,}$"
)


def without_repetition(fill: str, around: Around) -> str | Drop:
    """The fill without a last line that goes round in circles, and without a line said over again.

    Circles are three or more characters six times, or ten or more four times; lines of one
    character, such as rulers, are none.
    """
    lines = fill.split("\n")
    last = lines[-1]
    if _CIRCLES.search(last) and len(set(last.strip())) > 1:
        lines = lines[:-1]
    for at in range(len(lines) - MOST_EQUAL_LINES):
        same = {line.strip() for line in lines[at : at + MOST_EQUAL_LINES + 1]}
        if len(same) == 1 and len(lines[at].strip()) > 1:
            lines = lines[: at + 1]
            break
    return "\n".join(lines) if any(line.strip() for line in lines) else Drop.REPETITION
