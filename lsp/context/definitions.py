"""What a source file defines, as somebody who uses it needs it: heads without bodies."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING

from midfill.lsp.context.snippet import stripped_lines

if TYPE_CHECKING:
    from collections.abc import Iterator

    import tree_sitter

    from midfill.inference.syntax.parsing import Parsed

MOST, MOST_MEMBERS = 150, 40
"""Definitions of a file, and members of one of them, at most."""

LONGEST = 320
"""Characters of one head, and of a constant; longer ones are data."""

LONGEST_DOCUMENTATION = 100
"""Characters of the line that says what something is for."""

LONGEST_DECORATOR = 32

_FUNCTIONS = frozenset(
    [
        "function_definition",
        "function_declaration",
        "generator_function_declaration",
        "function_signature",
        "function_item",
        "function_signature_item",
        "method_definition",
        "method_declaration",
        "method_signature",
        "abstract_method_signature",
        "constructor_declaration",
    ]
)
_CONTAINERS = frozenset(
    [
        "class_definition",
        "class_declaration",
        "abstract_class_declaration",
        "interface_declaration",
        "class_specifier",
        "struct_specifier",
        "struct_item",
        "impl_item",
        "trait_item",
        "enum_declaration",
        "record_declaration",
    ]
)
_WHOLE_IF_SHORT = frozenset(["enum_declaration"])
_WHOLE = frozenset(
    [
        *_WHOLE_IF_SHORT,
        "type_alias_declaration",
        "type_alias_statement",
        "enum_item",
        "enum_specifier",
        "type_item",
        "type_declaration",
        "const_declaration",
        "var_declaration",
        "const_item",
        "static_item",
        "type_definition",
        "alias_declaration",
        "preproc_def",
        "preproc_function_def",
        "declaration",
        "field_declaration",
        "public_field_definition",
        "property_signature",
        "field_definition",
        "expression_statement",
        "assignment",
        "lexical_declaration",
        "enum_constant",
    ]
)
_TRANSPARENT = frozenset(
    [
        "export_statement",
        "ambient_declaration",
        "template_declaration",
        "namespace_definition",
        "linkage_specification",
        "declaration_list",
        "mod_item",
        "preproc_ifdef",
        "preproc_if",
        "preproc_else",
        "enum_body_declarations",
    ]
)
_OUTSIDE_COUNTS = frozenset(["export_statement", "ambient_declaration", "template_declaration"])
"""Wrappers whose own words belong to the head of what they hold."""

_IN_CLASS = {"public_field_definition": ";", "property_signature": ";", "field_definition": ";"}
_MEMBER_ENDS = {
    "javascript": _IN_CLASS,
    "typescript": _IN_CLASS,
    "tsx": _IN_CLASS,
    "rust": {"field_declaration": ","},
    "java": {"enum_constant": ","},
}
"""What the grammars do not count to a member that it has to end in."""

_NAMES = frozenset(
    [
        "identifier",
        "type_identifier",
        "field_identifier",
        "property_identifier",
        "private_property_identifier",
        "qualified_identifier",
    ]
)
_BLANKS = re.compile(r"\s+")
_WORDS = re.compile(r"\w.*")


@dataclass(frozen=True, slots=True)
class Definition:
    """One thing that a file defines.

    Attributes:
        text: its head and what it is for, without a line break at the end.
        closing: what ends it behind its members; may be empty.
        made_of: the lines of the file that it says, without the white space around them.
    """

    name: str
    text: str
    made_of: frozenset[str]
    members: tuple[Definition, ...] = ()
    closing: str = ""


def definitions_of(parsed: Parsed) -> tuple[Definition, ...]:
    """What stands at the top of a file, classes with their members; in the file's order."""
    return tuple(islice(_Reader(parsed).definitions(parsed.tree.root_node), MOST))


class _Reader:
    """Reads the definitions out of one tree."""

    def __init__(self, parsed: Parsed) -> None:
        self._source = parsed.source
        self._python = parsed.grammar == "python"
        self._end = "" if parsed.grammar in ("python", "go") else ";"
        self._member_ends = _MEMBER_ENDS.get(parsed.grammar, {})

    def definitions(self, parent: tree_sitter.Node) -> Iterator[Definition]:
        for node in parent.named_children:
            yield from self._read(node, node)

    def _read(self, node: tree_sitter.Node, outer: tree_sitter.Node) -> Iterator[Definition]:
        if node.type == "decorated_definition":
            yield from self._decorated(node)
        elif node.type in _TRANSPARENT:
            for child in node.named_children:
                yield from self._read(child, node if node.type in _OUTSIDE_COUNTS else child)
        elif node.type in _FUNCTIONS:
            yield from self._function(node, outer)
        elif node.type in _CONTAINERS and self._is_open(node):
            yield from self._container(node, outer)
        elif node.type in _WHOLE or node.type in _CONTAINERS:
            yield from self._constant(node, outer)

    def _decorated(self, node: tree_sitter.Node) -> Iterator[Definition]:
        """With the short decorators: whether something is a property changes how it is used."""
        marks = [
            self._node_text(child)
            for child in node.named_children
            if child.type == "decorator" and child.end_byte - child.start_byte <= LONGEST_DECORATOR
        ]
        inner = node.child_by_field_name("definition")
        for definition in self._read(inner, inner) if inner is not None else ():
            yield replace(definition, text="\n".join([*marks, definition.text]))

    @staticmethod
    def _is_open(node: tree_sitter.Node) -> bool:
        """Whether a container is better shown member by member."""
        if node.child_by_field_name("body") is None:
            return False
        return node.type not in _WHOLE_IF_SHORT or node.end_byte - node.start_byte > LONGEST

    def _function(self, node: tree_sitter.Node, outer: tree_sitter.Node) -> Iterator[Definition]:
        name, body = _name(node), node.child_by_field_name("body")
        raw = self._text(outer.start_byte, outer.end_byte if body is None else body.start_byte)
        head = _one_line(raw).rstrip(";{ ")
        if not name or len(head) > LONGEST:
            return
        if self._python:
            text = self._with_docstring(head, body)
        else:
            text = self._with_comment(f"{head}{self._end}", outer)
        yield Definition(name, text, self._lines(outer, body))

    def _container(self, node: tree_sitter.Node, outer: tree_sitter.Node) -> Iterator[Definition]:
        name, body = _name(node), node.child_by_field_name("body")
        assert body is not None
        raw = self._text(outer.start_byte, body.start_byte)
        head = _one_line(raw).rstrip("{ ")
        if not name or len(head) > LONGEST:
            return
        members = tuple(islice(self.definitions(body), MOST_MEMBERS))
        if self._python:
            text = self._with_docstring(head, body, empty=not members)
        else:
            text = self._with_comment(f"{head} {{", outer)
        closing = "" if self._python else "}"
        yield Definition(name, text, self._lines(outer, body), members, closing)

    def _constant(self, node: tree_sitter.Node, outer: tree_sitter.Node) -> Iterator[Definition]:
        name = _name(node)
        arrow = _arrow_function(node)
        end = outer.end_byte if arrow is None else arrow.start_byte
        raw = self._text(outer.start_byte, end).rstrip()
        if not name or len(raw) > LONGEST:
            return
        if arrow is not None:
            text = f"{_one_line(raw)} ..."
        elif node.type in ("type_declaration", "enum_item", "enum_specifier", "type_definition"):
            text = raw
        else:
            text = _one_line(raw)
            text += self._member_ends.get(node.type, "") if text[-1] not in ",;" else ""
        yield Definition(name, text, self._lines(outer, arrow))

    def _with_docstring(
        self, head: str, body: tree_sitter.Node | None, *, empty: bool = True
    ) -> str:
        """A head and what it is for."""
        line = _first_line(self._node_text(_docstring(body)))
        if line:
            return f'{head}\n    """{_bounded(line)}"""'
        return f"{head} ..." if empty else head

    def _with_comment(self, head: str, outer: tree_sitter.Node) -> str:
        above = outer.prev_named_sibling
        if above is None or "comment" not in above.type:
            return head
        # Line comments come one by one; what it is for stands in the first.
        while (
            (before := above.prev_named_sibling) is not None
            and "comment" in before.type
            and before.end_point.row + 1 == above.start_point.row
        ):
            above = before
        found = _WORDS.search(self._node_text(above))
        line = found.group().strip() if found else ""
        if not line:
            return head
        return f"// {_bounded(line.removesuffix('*/').rstrip())}\n{head}"

    def _lines(self, outer: tree_sitter.Node, body: tree_sitter.Node | None) -> frozenset[str]:
        """The lines that a head stands on, whole."""
        end = outer.end_byte if body is None else max(body.start_byte - 1, outer.start_byte)
        start = self._source.rfind(b"\n", 0, outer.start_byte) + 1
        # A Python body starts on a later line; of what follows a brace, only its line counts.
        end = max(start, len(self._source[start:end].rstrip()) + start)
        stop = self._source.find(b"\n", end)
        return stripped_lines([self._text(start, len(self._source) if stop < 0 else stop)])

    def _text(self, start: int, end: int) -> str:
        return self._source[start:end].decode("utf-8", "replace")

    def _node_text(self, node: tree_sitter.Node | None) -> str:
        return "" if node is None else self._text(node.start_byte, node.end_byte)


def _docstring(body: tree_sitter.Node | None) -> tree_sitter.Node | None:
    """What stands between the quotes at the start of a Python body."""
    first = next(iter(body.named_children), None) if body is not None else None
    if first is not None and first.type == "expression_statement":
        first = next(iter(first.named_children), None)
    if first is None or first.type != "string":
        return None
    return next((part for part in first.named_children if part.type == "string_content"), None)


def _name(node: tree_sitter.Node) -> str:
    """What a definition is called; empty if it has no name that anybody could use."""
    if node.type == "expression_statement":
        inner = next(iter(node.named_children), None)
        return _name(inner) if inner is not None and inner.type == "assignment" else ""
    if node.type == "assignment":
        left = node.child_by_field_name("left")
        return _identifier(left) if left is not None and left.type == "identifier" else ""
    for field in ("name", "declarator", "type", "trait"):
        found = node.child_by_field_name(field)
        if found is not None:
            return _identifier(found)
    # Go and JavaScript put one or more of what is declared below.
    return next((name for child in node.named_children if (name := _name(child))), "")


def _identifier(node: tree_sitter.Node | None) -> str:
    while node is not None:
        if node.type in _NAMES:
            text = node.text.decode("utf-8", "replace") if node.text else ""
            return text.rpartition("::")[2]
        node = (
            node.child_by_field_name("declarator")
            or node.child_by_field_name("name")
            or node.child_by_field_name("type")
            or next((child for child in node.named_children if child.type in _NAMES), None)
        )
    return ""


def _arrow_function(node: tree_sitter.Node) -> tree_sitter.Node | None:
    """The body of a function that is kept in a constant."""
    if node.type != "lexical_declaration" or not node.named_children:
        return None
    value = node.named_children[0].child_by_field_name("value")
    if value is None or value.type not in ("arrow_function", "function_expression"):
        return None
    return value.child_by_field_name("body")


def _one_line(text: str) -> str:
    """A head as if it had been written on one line."""
    line = _BLANKS.sub(" ", text).strip()
    return line.replace("( ", "(").replace(", )", ")").replace(" )", ")").replace("[ ", "[")


def _first_line(text: str) -> str:
    return next((line.strip() for line in text.splitlines() if line.strip()), "")


def _bounded(line: str) -> str:
    if len(line) <= LONGEST_DOCUMENTATION:
        return line
    return line[:LONGEST_DOCUMENTATION].rsplit(maxsplit=1)[0] + " …"
