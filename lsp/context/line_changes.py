"""Which lines a client's changes touch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lsprotocol import types

from midfill.inference.text.line_breaks import LINE_BREAK
from midfill.lsp.context.recent_edits import LineChange

if TYPE_CHECKING:
    from collections.abc import Sequence


def line_changes(
    changes: Sequence[types.TextDocumentContentChangeEvent],
) -> tuple[LineChange, ...] | None:
    """The changes in the order in which they were made; None if the whole text is another."""
    found = []
    for change in changes:
        if not isinstance(change, types.TextDocumentContentChangePartial):
            return None
        first, last = sorted((change.range.start.line, change.range.end.line))
        found.append(LineChange(first, last, len(LINE_BREAK.findall(change.text)) + 1))
    return tuple(found)
