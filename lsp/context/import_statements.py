"""What a source file says it takes from other files, read from its syntax tree."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import tree_sitter

    from midfill.inference.syntax.parsing import Parsed

EVERYTHING = "*"
"""Stands for all names that the other file has."""

MOST = 64
"""Statements of one file, at most."""


@dataclass(frozen=True, slots=True)
class Import:
    """One import of one file.

    Attributes:
        target: what is imported, as the language writes it: ``a.b``, ``./a``, ``crate::a``.
        names: those taken from it; empty where it is used by its own name.
        up: for Python, the dots in front.
    """

    target: str
    names: tuple[str, ...] = ()
    up: int = 0


def imports_of(parsed: Parsed) -> tuple[Import, ...]:
    """The imports of a file in their order, each once; none for a language that is not known."""
    reader = _READERS.get(parsed.grammar)
    if reader is None:
        return ()
    found: dict[Import, None] = {}
    for node in _statements(parsed.tree.root_node, parsed.grammar):
        for one in reader(node):
            found.setdefault(one)
        if len(found) >= MOST:
            break
    return tuple(found)[:MOST]


_STATEMENTS = {
    "python": frozenset(["import_statement", "import_from_statement"]),
    "javascript": frozenset(["import_statement", "export_statement", "call_expression"]),
    "go": frozenset(["import_spec"]),
    "rust": frozenset(["use_declaration", "mod_item"]),
    "java": frozenset(["import_declaration"]),
    "c": frozenset(["preproc_include"]),
}
_STATEMENTS["typescript"] = _STATEMENTS["tsx"] = _STATEMENTS["javascript"]
_STATEMENTS["cpp"] = _STATEMENTS["c"]

_LOOKED_INTO = frozenset(
    [
        "if_statement",
        "block",
        "else_clause",
        "try_statement",
        "except_clause",
        "import_declaration",
        "import_spec_list",
        "preproc_ifdef",
        "preproc_if",
        "preproc_else",
        "linkage_specification",
        "declaration_list",
        "lexical_declaration",
        "variable_declaration",
        "variable_declarator",
        "await_expression",
        "expression_statement",
        "ERROR",
    ]
)
"""Where imports may stand but at the top."""


def _statements(node: tree_sitter.Node, grammar: str) -> Iterator[tree_sitter.Node]:
    wanted = _STATEMENTS[grammar]
    for child in node.named_children:
        if child.type in wanted:
            yield child
        elif child.type in _LOOKED_INTO:
            yield from _statements(child, grammar)


def _text(node: tree_sitter.Node | None) -> str:
    if node is None or node.text is None:
        return ""
    return node.text.decode("utf-8", "replace")


def _python(node: tree_sitter.Node) -> Iterator[Import]:
    names = tuple(_text(_unaliased(name)) for name in node.children_by_field_name("name"))
    if node.type == "import_statement":
        yield from (Import(name) for name in names)
        return
    module = node.child_by_field_name("module_name")
    if module is None:
        return
    target = _text(module)
    if any(child.type == "wildcard_import" for child in node.named_children):
        names = (EVERYTHING,)
    bare = target.lstrip(".")
    yield Import(bare.strip(), names, len(target) - len(bare))


def _unaliased(node: tree_sitter.Node) -> tree_sitter.Node:
    return node.child_by_field_name("name") or node if node.type == "aliased_import" else node


def _javascript(node: tree_sitter.Node) -> Iterator[Import]:
    if node.type == "call_expression":
        arguments = node.child_by_field_name("arguments")
        if _text(node.child_by_field_name("function")) in ("require", "import") and arguments:
            given = arguments.named_children
            if given and given[0].type == "string":
                yield Import(_quoted(given[0]), (EVERYTHING,))
        return
    source = node.child_by_field_name("source")
    if source is None:
        return
    names = [
        _text(found.child_by_field_name("name"))
        for found in _below(node, ("import_specifier", "export_specifier"))
    ]
    whole = any(True for _ in _below(node, ("namespace_import", "namespace_export")))
    whole = whole or any(_text(child) == EVERYTHING for child in node.children)
    clause = next((child for child in node.children if child.type == "import_clause"), None)
    if clause is not None:
        names += [_text(child) for child in clause.named_children if child.type == "identifier"]
    yield Import(_quoted(source), (*names, EVERYTHING) if whole else tuple(names))


def _quoted(node: tree_sitter.Node) -> str:
    return _text(node).strip("\"'`")


def _below(node: tree_sitter.Node, kinds: tuple[str, ...]) -> Iterator[tree_sitter.Node]:
    for child in node.named_children:
        if child.type in kinds:
            yield child
        else:
            yield from _below(child, kinds)


def _go(node: tree_sitter.Node) -> Iterator[Import]:
    path = node.child_by_field_name("path")
    if path is not None:
        yield Import(_quoted(path))


def _rust(node: tree_sitter.Node) -> Iterator[Import]:
    if node.type == "mod_item":
        if node.child_by_field_name("body") is None:
            yield Import(f"self::{_text(node.child_by_field_name('name'))}")
        return
    argument = node.child_by_field_name("argument")
    if argument is not None:
        for path in _use_paths(argument):
            before, _, name = path.rpartition("::")
            if before and name != "self":
                yield Import(before, (name,))
            elif before:
                yield Import(before)


def _use_paths(node: tree_sitter.Node) -> Iterator[str]:
    """Each path that a ``use`` names, written out."""
    match node.type:
        case "use_as_clause":
            yield _text(node.child_by_field_name("path"))
        case "use_wildcard":
            yield f"{_text(node.named_children[0] if node.named_children else None)}::*"
        case "use_list":
            for child in node.named_children:
                yield from _use_paths(child)
        case "scoped_use_list":
            path, inner = (node.child_by_field_name(field) for field in ("path", "list"))
            if inner is not None:
                before = f"{_text(path)}::" if path is not None else ""
                yield from (before + name for name in _use_paths(inner))
        case _:
            yield _text(node)


def _java(node: tree_sitter.Node) -> Iterator[Import]:
    path = next(
        (
            _text(child)
            for child in node.named_children
            if child.type in ("scoped_identifier", "identifier")
        ),
        "",
    )
    static = any(child.type == "static" for child in node.children)
    if any(child.type == "asterisk" for child in node.named_children):
        yield Import(path, (EVERYTHING,))
    elif static:
        target, _, name = path.rpartition(".")
        yield Import(target, (name,))
    else:
        yield Import(path, (path.rpartition(".")[2],))


def _c(node: tree_sitter.Node) -> Iterator[Import]:
    path = node.child_by_field_name("path")
    if path is not None and path.type in ("string_literal", "system_lib_string"):
        yield Import(_text(path).strip('"<>'), (EVERYTHING,))


_READERS: dict[str, Callable[[tree_sitter.Node], Iterator[Import]]] = {
    "python": _python,
    "javascript": _javascript,
    "typescript": _javascript,
    "tsx": _javascript,
    "go": _go,
    "rust": _rust,
    "java": _java,
    "c": _c,
    "cpp": _c,
}
