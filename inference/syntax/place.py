"""What kind of text a cursor stands in: code, a comment or a string."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import tree_sitter

    from midfill.inference.syntax.parsing import Parsed

WITHOUT_STRINGS = frozenset(["css", "html", "json", "markdown", "scss", "toml", "yaml"])
"""Where what stands in quotes is the content itself."""

_EMBEDDED_CODE = ("interpolation", "substitution", "embedded_statement")
_QUOTES = {"rust": '"'}
_CLOSED_COMMENT = ("*/", "-->", "]]", "=end")


class Place(StrEnum):
    """What a cursor stands in."""

    CODE = "code"
    COMMENT = "comment"
    STRING = "string"


def place_at(parsed: Parsed, offset: int) -> Place:
    """What a cursor stands in, by the node of the character before it.

    Args:
        offset: in characters.
    """
    at = parsed.byte_of(offset)
    node = parsed.tree.root_node.descendant_for_byte_range(max(at - 1, 0), at)
    has_strings = parsed.grammar not in WITHOUT_STRINGS
    while node is not None:
        kind = node.type
        if any(part in kind for part in _EMBEDDED_CODE):
            return Place.CODE
        if "comment" in kind and _goes_on(parsed, node.start_byte, node.end_byte, at):
            return Place.COMMENT
        if has_strings and "string" in kind and node.start_byte < at < node.end_byte:
            return Place.STRING
        if kind == "ERROR":
            break
        node = node.parent
    return Place.STRING if has_strings and _in_unfinished_string(parsed, offset, at) else Place.CODE


def _goes_on(parsed: Parsed, start: int, end: int, at: int) -> bool:
    """Whether what is typed at ``at`` becomes part of the comment."""
    if start < at < end:
        return parsed.source[at - 1 : at] != b"\n" or parsed.source[start:end].count(b"\n") > 1
    text = parsed.source[start:end].decode("utf-8", "replace")
    return at == end and not text.endswith((*_CLOSED_COMMENT, "\n"))


def _in_unfinished_string(parsed: Parsed, offset: int, at: int) -> bool:
    """Whether a quote before the cursor is not closed on its line, where the tree has an error."""
    line_end = parsed.source.find(b"\n", at)
    line = parsed.tree.root_node.descendant_for_byte_range(
        parsed.source.rfind(b"\n", 0, at) + 1, line_end if line_end >= 0 else len(parsed.source)
    )
    if line is None or not (line.has_error or _under_error(line)):
        return False
    quotes = _QUOTES.get(parsed.grammar, "\"'`")
    opened = ""
    before = iter(parsed.text[parsed.text.rfind("\n", 0, offset) + 1 : offset])
    for character in before:
        if character == "\\":
            next(before, None)
        elif opened:
            opened = "" if character == opened else opened
        elif character in quotes:
            opened = character
    return bool(opened)


def _under_error(node: tree_sitter.Node | None) -> bool:
    while node is not None:
        if node.is_error:
            return True
        node = node.parent
    return False
