"""Brackets that are code, and which of them are left without their partner."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from midfill.inference.text.indentation import indentation

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import tree_sitter

    from midfill.inference.syntax.parsing import Parsed

OPENED_BY = {")": "(", "]": "[", "}": "{"}
_OPENERS = frozenset(OPENED_BY.values())
_LONGEST_TOKEN = 3
"""``${`` and ``]]`` count as one bracket."""


@dataclass(frozen=True, slots=True)
class Bracket:
    """A bracket outside of strings and comments.

    Attributes:
        character: one of ``()[]{}``.
        at: its offset in bytes.
        line: the offset in bytes at which its line starts.
        indent: of its line, in columns.
        leads: whether it is the first visible character of its line.
    """

    character: str
    at: int
    line: int
    indent: int
    leads: bool


@dataclass(frozen=True, slots=True)
class Unmatched:
    """What a stretch of text closes that it did not open, and what it leaves open."""

    closers: tuple[Bracket, ...]
    openers: tuple[Bracket, ...]


def brackets_of(parsed: Parsed) -> list[Bracket]:
    """The brackets of a text in order, found by its syntax tree."""
    found = []
    for node in _leaves(parsed.tree.root_node):
        character = _bracket(node)
        if character:
            line = parsed.source.rfind(b"\n", 0, node.start_byte) + 1
            before = parsed.source[line : node.start_byte].decode("utf-8", "replace")
            indent, leads = indentation(before + character), not before.strip()
            found.append(Bracket(character, node.start_byte, line, indent, leads))
    return found


def unmatched(brackets: Iterable[Bracket]) -> Unmatched:
    """Pair brackets off; a closer of the wrong kind counts as unmatched and pairs with nothing."""
    closers: list[Bracket] = []
    openers: list[Bracket] = []
    for bracket in brackets:
        if bracket.character in _OPENERS:
            openers.append(bracket)
        elif openers and openers[-1].character == OPENED_BY[bracket.character]:
            openers.pop()
        else:
            closers.append(bracket)
    return Unmatched(tuple(closers), tuple(openers))


def _leaves(root: tree_sitter.Node) -> Iterator[tree_sitter.Node]:
    nodes = [root]
    while nodes:
        node = nodes.pop()
        if node.child_count:
            nodes.extend(reversed(node.children))
        else:
            yield node


def _bracket(node: tree_sitter.Node) -> str:
    kind = node.type
    if node.is_named or node.is_missing or len(kind) > _LONGEST_TOKEN:
        return ""
    if kind[-1:] in _OPENERS:
        return kind[-1]
    return kind[0] if kind[:1] in OPENED_BY and kind[-1] in OPENED_BY else ""
