"""Markers of the model's own that got into the text."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from midfill.inference.postprocess.around import Around

_MARKER = re.compile(r"<\|\w+\|>|^[ \t]*```\w*[ \t]*$", re.M)


def without_leaked_markers(fill: str, around: Around) -> str:
    """The fill up to the first special token or code fence; in Markdown fences are content."""
    for marker in _MARKER.finditer(fill):
        if not (around.grammar == "markdown" and "```" in marker.group()):
            return fill[: marker.start()].rstrip()
    return fill
