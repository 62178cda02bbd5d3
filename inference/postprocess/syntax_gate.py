"""A fill must not make errors that were not there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from midfill.inference.postprocess.around import Drop
from midfill.inference.syntax.parsing import parse

if TYPE_CHECKING:
    import tree_sitter

    from midfill.inference.postprocess.around import Around

_UNJUDGED = frozenset(["html", "markdown", "yaml", "css", "scss"])
"""Grammars that take almost anything, or almost nothing that is being written."""

NAME = "x"

_UNFINISHED = (":", "{", "(", "[", ",", "=", "\\", "&&", "||", "=>", "->", ">")


def keeps_syntax(fill: str, around: Around) -> str | Drop:
    """The fill, unless the text around it has more errors with it than with a plain name there.

    With nothing there it nearly always has errors, as something is missing. A fill that plainly
    goes on, such as the head of a block, is not judged.
    """
    if around.grammar is None or around.grammar in _UNJUDGED:
        return fill
    if fill.rstrip().endswith(_UNFINISHED):
        return fill
    with_name = parse(around.before + NAME + around.after, around.grammar)
    with_fill = parse(around.before + fill + around.after, around.grammar, with_name)
    more = _errors(with_fill.tree) > _errors(with_name.tree)
    return Drop.BREAKS_SYNTAX if more else fill


def _errors(tree: tree_sitter.Tree) -> int:
    """The ERROR and MISSING nodes of a tree."""
    count, nodes = 0, [tree.root_node]
    while nodes:
        node = nodes.pop()
        if node.is_error or node.is_missing:
            count += 1
        if node.has_error:
            nodes += node.children
    return count
