"""What followed the last time that the same text stood somewhere: a guess that costs no model.

As `inference.lookup`, but of text, for models whose tokens around a hole are cut in another way
than those of text that goes on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

VISIBLE = 8
"""Visible characters that have to be the same."""

LONGEST_MATCH = 400
"""Characters further back than this say no more about what follows."""

CANDIDATES = 8
"""Places looked at in each text, the latest ones."""

MOST = 2000
"""Characters of what follows, at most."""


def continuation_elsewhere(prefix: str, others: Sequence[str]) -> str:
    """What followed the longest match of a text's end.

    Args:
        prefix: the text; it is looked for in itself, too.
        others: other texts.

    Returns:
        Empty if its end stands nowhere else. Of equal matches, the latest in ``prefix`` counts.
    """
    end = _short_end(prefix)
    if not end:
        return ""
    best, found = 0, ""
    for text in (prefix, *others):
        # A match that ends the prefix itself has nothing behind it.
        limit = len(text) - (text is prefix)
        for _ in range(CANDIDATES):
            place = text.rfind(end, 0, limit)
            if place < 0:
                break
            behind = place + len(end)
            matched = _match(prefix, text, behind)
            if matched > best:
                best, found = matched, text[behind : behind + MOST]
            limit = behind - 1
    return found


def _short_end(text: str) -> str:
    """The shortest end of a text with enough visible characters in it; empty if it has too few."""
    visible = 0
    for start in range(len(text) - 1, -1, -1):
        visible += not text[start].isspace()
        if visible == VISIBLE:
            return text[start:]
    return ""


def _match(prefix: str, text: str, behind: int) -> int:
    """How many characters before a place are those that the prefix ends with."""
    length = 0
    while (
        length < min(LONGEST_MATCH, behind, len(prefix))
        and prefix[-1 - length] == text[behind - 1 - length]
    ):
        length += 1
    return length
