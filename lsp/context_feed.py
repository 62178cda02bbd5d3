"""Keeps the sources of context told of what happens to documents, and asks them for requests."""

from __future__ import annotations

from typing import TYPE_CHECKING

from midfill.lsp.context.copied_text import read_copy
from midfill.lsp.context.errands import ErrandRunner
from midfill.lsp.context.line_changes import line_changes
from midfill.lsp.context.open_texts import StoredTexts
from midfill.lsp.context.refreshing import Refreshing
from midfill.lsp.context.sources import ContextSettings, Sources

if TYPE_CHECKING:
    from lsprotocol import types

    from midfill.inference.wire import ContextFile
    from midfill.lsp.documents import DocumentStore
    from midfill.lsp.settings import Settings
    from midfill.lsp.snapshot import Snapshot


class ContextFeed:
    """Context of the documents of one store; those that are open already count as just opened."""

    def __init__(self, documents: DocumentStore, settings: Settings) -> None:
        self._documents = documents
        self._settings = _context_of(settings)
        self._sources = Sources(
            StoredTexts(documents), lambda: documents.policy, _context_of(settings)
        )
        self._refreshing = Refreshing(self._sources, ErrandRunner())
        for document in [*documents.text_documents.values()]:
            self.opened(document.uri)

    def files_for(self, snapshot: Snapshot) -> tuple[ContextFile, ...]:
        """What of other files goes into a request."""
        return self._sources.files_for(snapshot.uri, snapshot.range.start.line)

    def go_by(self, settings: Settings) -> None:
        """The settings may be others now; context that was chosen stays if they are not."""
        wanted = _context_of(settings)
        if wanted != self._settings:
            self._settings = wanted
            self._sources.go_by(wanted)
            for document in [*self._documents.text_documents.values()]:
                self._refreshing.ask(document.uri)

    def opened(self, uri: str) -> None:
        """A document was opened; nothing is taken of one that is excluded."""
        if not self._is_cell(uri) and self._documents.opened(uri) is not None:
            self._sources.opened(uri)
            self._refreshing.ask(uri)

    def changed(self, uri: str, changes: list[types.TextDocumentContentChangeEvent]) -> None:
        """A document was changed, one that is not excluded."""
        if not self._is_cell(uri):
            touched = line_changes(changes)
            self._sources.changed(uri, touched)
            self._refreshing.changed(uri, touched)

    def saved(self, uri: str) -> None:
        """A document was saved: others may import what is on the disk now."""
        if self._documents.opened(uri) is not None:
            self._refreshing.ask(uri)

    def closed(self, uri: str) -> None:
        """A document was closed."""
        self._sources.closed(uri)

    def forget(self, uri: str) -> None:
        """A document must not be seen any more."""
        self._sources.forget(uri)

    def copied(self, params: object) -> None:
        """What a client says was copied."""
        if copy := read_copy(params):
            self._sources.copied(*copy)

    async def close(self) -> None:
        await self._refreshing.close()

    def _is_cell(self, uri: str) -> bool:
        """The cells of a notebook need no other context: they have each other in view."""
        return self._documents.get_notebook_document(cell_uri=uri) is not None


def _context_of(settings: Settings) -> ContextSettings:
    return ContextSettings(
        tokens=settings.context_tokens,
        imports=settings.context_imports,
        visited=settings.context_visited,
        edits=settings.context_edits,
        clipboard=settings.context_clipboard,
    )
