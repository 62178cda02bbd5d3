"""The syntax down to a cursor in a long text, read from where a statement begins.

Where a text has just changed, a parser goes through the whole tree for what still holds, so the
tree of a long text costs time at every key. What stands in front of a statement of the outermost
level does not change what follows it: once somebody stays far below, only the part from such a
statement on is read again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from midfill.inference.syntax.parsing import Parsed, parse

if TYPE_CHECKING:
    import tree_sitter

OUTERMOST_STATEMENTS = frozenset(
    ["c", "cpp", "go", "java", "javascript", "python", "ruby", "rust", "tsx", "typescript"]
)
"""Grammars of texts that are a row of statements, none of which depends on those before it."""

FAR, NEAR = 32 * 1024, 8 * 1024
"""Characters: who is so far below the first that is read has it begin so near above them."""


@dataclass(frozen=True, slots=True)
class Below:
    """A part of a text.

    Attributes:
        start: where it begins, in characters.
        parsed: of the text from there on.
    """

    start: int
    parsed: Parsed


class SyntaxBelow:
    """The syntax of one document around its cursor, from one state of the text to the next.

    Args:
        far, near: as `FAR` and `NEAR`.
    """

    def __init__(self, far: int = FAR, near: int = NEAR) -> None:
        self._far, self._near = far, near
        self._above = ""
        self._parsed: Parsed | None = None
        self._whole: Parsed | None = None

    def read(self, text: str, offset: int, grammar: str) -> Below:
        """Read what can decide what stands at ``offset``.

        Args:
            text: no more of the document than has to be read.
            offset: of the cursor, in characters.
            grammar: one of `grammar_for`'s.

        Raises:
            LookupError: there is no such grammar.
        """
        start = len(self._above)
        other = self._parsed is not None and self._parsed.grammar != grammar
        if start and (other or offset < start or not text.startswith(self._above)):
            # A tree of all of it is old by now, but most of it holds.
            start, self._above, self._parsed = 0, "", self._whole
        self._parsed = parsed = parse(text[start:], grammar, self._parsed)
        if grammar in OUTERMOST_STATEMENTS and offset - start > self._far:
            if not start:
                self._whole = parsed
            if statement := _statement_before(parsed, offset - start - self._near):
                self._above, self._parsed = text[: start + statement], None
        return Below(start, parsed)


def _statement_before(parsed: Parsed, offset: int) -> int:
    """Where the last statement of the outermost level begins before an offset, in characters.

    0 if that is not certain, as where something before it is not finished.
    """
    at = parsed.byte_of(offset)
    node = parsed.tree.root_node.first_child_for_byte(at)
    while node is not None and (node.start_byte > at or not _begins_anew(node, parsed)):
        node = node.prev_sibling
    return parsed.character_of(node.start_byte) if node is not None else 0


def _begins_anew(node: tree_sitter.Node, parsed: Parsed) -> bool:
    before = node.prev_sibling
    return (
        before is not None
        and node.is_named
        and "comment" not in node.type
        and not node.has_error
        and not before.has_error
        and parsed.source[node.start_byte - 1 : node.start_byte] == b"\n"
    )
