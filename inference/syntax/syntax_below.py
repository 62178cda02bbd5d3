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

ROWS_OF_STATEMENTS = frozenset(
    ["c", "cpp", "go", "javascript", "python", "rust", "tsx", "typescript"]
)
"""Grammars of texts that are a row of statements, which do not depend on those before them."""

FAR, NEAR = 32 * 1024, 8 * 1024
"""Characters: who is so far below the first that is read has it begin so near above them."""

CONTINUED = (b"/", b"(", b"[", b"`", b"+", b"-", b"*", b".", b",", b"?")
"""How a line begins that may go on with the statement before it, though that seems to be done."""


@dataclass(frozen=True, slots=True)
class Part:
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
        self._grammar = ""
        self._above = ""
        self._parsed: Parsed | None = None
        self._whole: Parsed | None = None

    def read(self, text: str, offset: int, grammar: str) -> Part:
        """Read what can decide what stands at ``offset``.

        Args:
            text: no more of the document than has to be read.
            offset: of the cursor, in characters.
            grammar: one of `grammar_for`'s.

        Raises:
            LookupError: there is no such grammar.
        """
        if grammar != self._grammar:
            self._grammar, self._above, self._parsed, self._whole = grammar, "", None, None
        if offset < len(self._above) or not text.startswith(self._above):
            # A tree of all of it is old by now, but most of it holds.
            self._above, self._parsed = "", self._whole
        start = len(self._above)
        self._parsed = parsed = parse(text[start:], grammar, self._parsed)
        if grammar in ROWS_OF_STATEMENTS and offset - start > self._far:
            statement = _statement_before(parsed, offset - start - self._near)
            # It is to be worth reading a second time.
            if offset - start - statement <= self._far:
                self._whole = self._whole if start else parsed
                self._above, self._parsed = text[: start + statement], None
        return Part(start, parsed)


def _statement_before(parsed: Parsed, offset: int) -> int:
    """Where the last statement of the outermost level begins before an offset, in characters.

    0 if there is none, or something before it is not finished: an open comment or string goes on
    until somebody closes it.
    """
    at, found = parsed.byte_of(offset), 0
    for node in parsed.tree.root_node.children:
        if node.start_byte > at:
            break
        if node.has_error:
            return 0
        if _begins_anew(node, parsed):
            found = node.start_byte
    return parsed.character_of(found)


def _begins_anew(node: tree_sitter.Node, parsed: Parsed) -> bool:
    start = node.start_byte
    return (
        node.is_named
        and "comment" not in node.type
        and parsed.source[start - 1 : start] == b"\n"
        and not parsed.source.startswith(CONTINUED, start)
    )
