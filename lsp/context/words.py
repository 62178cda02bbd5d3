"""How much two pieces of code have in common, by the words in them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Set

_WORD = re.compile(r"\w+")

Words = frozenset[str]


def words_of(text: str) -> Words:
    """The words of a text, each once: names, keywords and numbers."""
    return frozenset(_WORD.findall(text))


def similarity(a: Set[str], b: Set[str]) -> float:
    """What two sets of words share, 0 … 1; nothing is like a text without words.

    Source: the Sørensen–Dice coefficient.
    """
    if not a or not b:
        return 0.0
    return 2 * len(a & b) / (len(a) + len(b))
