"""Who has to know that a document, or a notebook's cell, was opened, changed or closed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lsprotocol import types

from midfill.lsp.midfill_server import MidfillServer  # noqa: TC001 (pygls looks it up)

if TYPE_CHECKING:
    from collections.abc import Sequence


def register(server: MidfillServer) -> None:
    """Listen to what happens to documents; the store has taken it in by then."""
    server.feature(types.TEXT_DOCUMENT_DID_OPEN)(did_open)
    server.feature(types.TEXT_DOCUMENT_DID_CHANGE)(did_change)
    server.feature(types.TEXT_DOCUMENT_DID_CLOSE)(did_close)
    server.feature(types.NOTEBOOK_DOCUMENT_DID_OPEN)(did_open_notebook)
    server.feature(types.NOTEBOOK_DOCUMENT_DID_CHANGE)(did_change_notebook)
    server.feature(types.NOTEBOOK_DOCUMENT_DID_CLOSE)(did_close_notebook)


def did_open(ls: MidfillServer, params: types.DidOpenTextDocumentParams) -> None:
    _opened(ls, params.text_document.uri)


def did_change(ls: MidfillServer, params: types.DidChangeTextDocumentParams) -> None:
    _changed(ls, params.text_document.uri, params.content_changes)


def did_close(ls: MidfillServer, params: types.DidCloseTextDocumentParams) -> None:
    _closed(ls, params.text_document.uri)


def did_open_notebook(ls: MidfillServer, params: types.DidOpenNotebookDocumentParams) -> None:
    for cell in params.cell_text_documents:
        _opened(ls, cell.uri)


def did_change_notebook(ls: MidfillServer, params: types.DidChangeNotebookDocumentParams) -> None:
    cells = params.change.cells
    if cells is None:
        return
    if cells.structure:
        for closed in cells.structure.did_close or []:
            _closed(ls, closed.uri)
        for opened in cells.structure.did_open or []:
            _opened(ls, opened.uri)
    for content in cells.text_content or []:
        _changed(ls, content.document.uri, content.changes)


def did_close_notebook(ls: MidfillServer, params: types.DidCloseNotebookDocumentParams) -> None:
    for cell in params.cell_text_documents:
        _closed(ls, cell.uri)


def _opened(ls: MidfillServer, uri: str) -> None:
    _stop(ls, uri)  # some clients open what is open, with another text
    if ls.context:
        ls.context.opened(uri)


def _changed(
    ls: MidfillServer, uri: str, changes: Sequence[types.TextDocumentContentChangeEvent]
) -> None:
    document = ls.documents.opened(uri)
    if document is not None:
        edits = document.take_edits()
        if ls.journal:
            ls.journal.changed(document.uri, edits)
        if ls.context:
            ls.context.changed(document.uri, [*changes])
    if ls.suggestions:
        ls.suggestions.typed(uri)


def _closed(ls: MidfillServer, uri: str) -> None:
    _stop(ls, uri)
    if ls.context:
        ls.context.closed(uri)


def _stop(ls: MidfillServer, uri: str) -> None:
    if ls.suggestions:
        ls.suggestions.stop(uri)
    if ls.journal:
        ls.journal.closed(uri)
