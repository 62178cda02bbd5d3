"""Syntax trees of text that changes, read anew only where it has changed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, cast

import tree_sitter
import tree_sitter_language_pack
from tree_sitter import Point

from midfill.inference.text.common_stretch import common_end, common_start

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
    start = common_start(old, source)
    same_end = common_end(old, source, min(len(old), len(source)) - start)
    old_end, new_end = len(old) - same_end, len(source) - same_end
    start_point = _point(old, start, Point(0, 0), 0)
    tree = previous.tree.copy()
    tree.edit(
        start_byte=start,
        old_end_byte=old_end,
        new_end_byte=new_end,
        start_point=start_point,
        old_end_point=_point(old, old_end, start_point, start),
        new_end_point=_point(source, new_end, start_point, start),
    )
    return tree


def _point(source: bytes, offset: int, known: Point, known_offset: int) -> Point:
    """The row and column of an offset behind one that is known."""
    row = known.row + source.count(b"\n", known_offset, offset)
    return Point(row, offset - (source.rfind(b"\n", 0, offset) + 1))
