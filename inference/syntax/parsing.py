"""Syntax trees of text that changes, read anew only where it has changed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, cast

import tree_sitter
import tree_sitter_language_pack

if TYPE_CHECKING:
    from tree_sitter_language_pack import SupportedLanguage


@dataclass(frozen=True, slots=True)
class Parsed:
    """A text and its tree.

    Attributes:
        grammar: that it was read with.
        text: line breaks as they are.
        source: ``text`` in UTF-8, lone surrogates included; what the tree's offsets count in.
        tree: of ``source``.
    """

    grammar: str
    text: str
    source: bytes
    tree: tree_sitter.Tree

    def byte_of(self, character: int) -> int:
        """The offset in ``source`` of a character of ``text``."""
        if len(self.source) == len(self.text):
            return character
        return len(_encoded(self.text[:character]))

    def character_of(self, byte: int) -> int:
        """The offset in ``text`` of a byte that begins a character."""
        if len(self.source) == len(self.text):
            return byte
        return len(self.source[:byte].decode("utf-8", "surrogatepass"))


def parse(text: str, grammar: str, previous: Parsed | None = None) -> Parsed:
    """Read ``text``; what it has in common with ``previous`` is not read again.

    Args:
        grammar: one of `grammar_for`'s.
        previous: an earlier state of the same document. Its tree is left as it was.

    Raises:
        LookupError: there is no such grammar.
    """
    source = _encoded(text)
    if previous is None or previous.grammar != grammar:
        tree = _parser(grammar).parse(source)
    elif previous.source == source:
        return previous
    else:
        tree = _parser(grammar).parse(source, _edited(previous, source))
    return Parsed(grammar, text, source, tree)


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


@lru_cache(maxsize=64)
def _parser(grammar: str) -> tree_sitter.Parser:
    return tree_sitter_language_pack.get_parser(cast("SupportedLanguage", grammar))


def _edited(previous: Parsed, source: bytes) -> tree_sitter.Tree:
    """The previous tree, told of the one stretch in which the two texts differ."""
    old = previous.source
    start = _common_start(old, source)
    shorter = min(len(old), len(source))
    same_end = _common_end(old, source, shorter - start)
    old_end, new_end = len(old) - same_end, len(source) - same_end
    tree = previous.tree.copy()
    tree.edit(
        start_byte=start,
        old_end_byte=old_end,
        new_end_byte=new_end,
        start_point=_point(old, start),
        old_end_point=_point(old, old_end),
        new_end_point=_point(source, new_end),
    )
    return tree


def _common_start(a: bytes, b: bytes) -> int:
    """How many bytes two texts begin with alike; found by halves, as comparing is quick."""
    low, high = 0, min(len(a), len(b))
    while low < high:
        middle = (low + high + 1) // 2
        if a[low:middle] == b[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def _common_end(a: bytes, b: bytes, most: int) -> int:
    low, high = 0, most
    while low < high:
        middle = (low + high + 1) // 2
        if a[len(a) - middle : len(a) - low] == b[len(b) - middle : len(b) - low]:
            low = middle
        else:
            high = middle - 1
    return low


def _point(source: bytes, offset: int) -> tree_sitter.Point:
    row = source.count(b"\n", 0, offset)
    return tree_sitter.Point(row, offset - (source.rfind(b"\n", 0, offset) + 1))
