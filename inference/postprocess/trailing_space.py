"""Blank space that nobody sees."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from midfill.inference.postprocess.around import Around

_TRAILING = re.compile(r"[ \t]+(?=\n)")


def without_trailing_space(fill: str, around: Around) -> str:
    """The fill without blanks at the ends of its lines; in Markdown they break lines."""
    return fill if around.grammar == "markdown" else _TRAILING.sub("", fill)
