"""Suggestions in the completion list, for editors without inline completion.

They come last, are never preselected, and so stand in the way of no language server.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable  # noqa: TC003 (pygls looks it up)
from typing import TYPE_CHECKING

from lsprotocol import types

from midfill.lsp.midfill_server import MidfillServer  # noqa: TC001 (pygls looks it up)
from midfill.lsp.notebook_cells import around_cell
from midfill.lsp.snapshot import take_snapshot

if TYPE_CHECKING:
    from midfill.lsp.documents import Document
    from midfill.lsp.snapshot import Snapshot

log = logging.getLogger(__name__)

LAST = "\U0010ffff"
"""Sorts behind every other entry."""

LABEL_CHARACTERS = 60

_WORD_BEFORE = re.compile(r"\w*\Z")


def register(server: MidfillServer) -> None:
    """Offer completion; only a client that wants it is told, so it has to be before it starts."""
    server.feature(types.TEXT_DOCUMENT_COMPLETION, types.CompletionOptions())(completion)


async def completion(
    ls: MidfillServer, params: types.CompletionParams
) -> types.CompletionList | Callable[[], types.CompletionList]:
    """The suggestion at a position as an entry of the list."""
    # More may be typed before it is there, and an answer that is complete is not asked for again.
    nothing = types.CompletionList(is_incomplete=True, items=[])
    ls.last_asked = params.text_document.uri
    document = ls.documents.opened(params.text_document.uri)
    if document is None or ls.suggestions is None:
        ls.withheld([params.text_document.uri])
        return nothing
    inline = types.InlineCompletionParams(
        types.InlineCompletionContext(types.InlineCompletionTriggerKind.Automatic),
        params.text_document,
        params.position,
    )
    snapshot = take_snapshot(document, inline, *around_cell(ls.documents, document.uri))
    try:
        answer = await ls.suggestions.answer(snapshot)
    except Exception:
        log.exception("could not make a suggestion")
        return nothing
    if answer is None or not ls.still_holds(snapshot):
        return nothing
    items = [completion_item(document, snapshot, item) for item in answer.items]
    found = types.CompletionList(is_incomplete=True, items=items)
    return lambda: found if ls.still_holds(snapshot) else nothing


def completion_item(
    document: Document, snapshot: Snapshot, suggestion: types.InlineCompletionItem
) -> types.CompletionItem:
    """An entry that goes on from the word before the cursor, which editors filter entries by."""
    text = suggestion.insert_text
    fill = text if isinstance(text, str) else text.value
    found = _WORD_BEFORE.search(snapshot.text[max(snapshot.start - 256, 0) : snapshot.start])
    word = found.group() if found else ""
    whole = word + fill
    start = document.client_position_at_offset(snapshot.start - len(word))
    first, *more = whole.strip().splitlines()
    label = first[:LABEL_CHARACTERS] + ("…" if more or len(first) > LABEL_CHARACTERS else "")
    return types.CompletionItem(
        label,
        kind=types.CompletionItemKind.Text,
        detail="Midfill",
        documentation=whole,
        preselect=False,
        sort_text=LAST,
        filter_text=first,
        insert_text_format=types.InsertTextFormat.PlainText,
        insert_text_mode=types.InsertTextMode.AsIs,
        text_edit=types.TextEdit(types.Range(start, snapshot.range.end), whole),
        command=suggestion.command,
    )
