"""The open documents, each exactly as its editor has it.

pygls keeps documents too, but it breaks lines wherever `str.splitlines` does (at form feeds and
U+2028, say), which no editor does, and clamps positions past the end wrongly. One edit misplaced,
and every later suggestion is made for a text that nobody sees.

Text that Midfill must never see is kept out here, so that no other code can get at it.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

from lsprotocol import types
from pygls.workspace import PositionCodec, ServerTextPosition, TextDocument, Workspace

from midfill.inference.exclusion.policy import ExclusionPolicy
from midfill.lsp.acceptance.edit import Edit, edit_between, trimmed
from midfill.lsp.document_paths import folder_path, paths_of
from midfill.lsp.lines import Lines
from midfill.lsp.text_positions import (
    UTF_16,
    characters_in,
    code_units,
    has_surrogate,
    join_surrogates,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from midfill.inference.syntax.place import Place
    from midfill.inference.syntax.syntax_below import SyntaxBelow

PARSED_LINES = 128
"""Syntax is read to the end of a stretch of so many lines, and one more."""

PARSED_CHARACTERS = 2**20

log = logging.getLogger(__name__)


class ClampingCodec(PositionCodec):
    """Converts columns; positions past the end mean the end, those inside a character its start."""

    def position_from_client_units(
        self, lines: Sequence[str], position: types.Position
    ) -> ServerTextPosition:
        if position.line >= len(lines):
            return ServerTextPosition(len(lines) - 1, len(lines[-1]))
        visible = lines[position.line].rstrip("\r\n")
        character = characters_in(visible, position.character, self.encoding or UTF_16)
        return ServerTextPosition(position.line, character)

    def position_to_client_units(
        self, lines: Sequence[str], position: ServerTextPosition | types.Position
    ) -> types.Position:
        line = min(position.line, len(lines) - 1)
        before = lines[line].rstrip("\r\n")[: position.character]
        return types.Position(line, code_units(before, self.encoding or UTF_16))


class Document(TextDocument):
    """One open document."""

    _lines: Lines | None = None
    _syntax: SyntaxBelow | None = None
    deleted_last = False
    """Whether the last change deleted something and wrote nothing."""
    _edits: tuple[Edit, ...] = ()

    def take_edits(self) -> tuple[Edit, ...]:
        """What was changed since this was asked the last time, in order."""
        edits, self._edits = self._edits, ()
        return edits

    @property
    def lines(self) -> Lines:
        """The lines with their breaks; there is always at least one."""
        if self._lines is None:
            self._lines = Lines(self.source)
        return self._lines

    def apply_change(self, change: types.TextDocumentContentChangeEvent) -> None:
        partial = isinstance(change, types.TextDocumentContentChangePartial)
        self.deleted_last = partial and not change.text
        super().apply_change(change)

    def _apply_full_change(self, change: types.TextDocumentContentChangeEvent) -> None:
        new = join_surrogates(change.text)
        self._edits += (edit_between(self.source, new),)
        self._source = new
        self._lines = None

    def _apply_incremental_change(self, change: types.TextDocumentContentChangePartial) -> None:
        places = [
            self.position_from_client_units(position)
            for position in (change.range.start, change.range.end)
        ]
        first, last = sorted((place.line, place.character) for place in places)
        start, end = (self.lines.start(line) + column for line, column in (first, last))
        old = self.source
        new = old[:start] + change.text + old[end:]
        touched = new[max(start - 1, 0) : start + len(change.text) + 1]
        if has_surrogate(touched):
            self._source = join_surrogates(new)
            self._edits += (edit_between(old, self._source),)
            self._lines = None
        else:
            self._source = new
            self._edits += (trimmed(Edit(start, end, change.text), old[start:end]),)
            self.lines.replace(first, last, change.text)

    def offset_at_server_position(self, server_position: ServerTextPosition) -> int:
        return self.lines.start(server_position.line) + server_position.character

    def place_in(self, text: str, offset: int) -> Place:
        """What kind of text stands at an offset; code, if no grammar knows.

        Only the text down to a good way below is read, as an edit may change the meaning of all
        that follows it; and nothing of a document too large.

        Args:
            text: the document's, now or not long ago.
        """
        from midfill.inference.syntax.grammars import grammar_for
        from midfill.inference.syntax.place import Place, place_at
        from midfill.inference.syntax.syntax_below import SyntaxBelow

        grammar = grammar_for(self.language_id or "", self.uri)
        end = _end_of_parsed(text, offset)
        if grammar is None or end > PARSED_CHARACTERS:
            return Place.CODE
        self._syntax = self._syntax or SyntaxBelow()
        part = self._syntax.read(text[:end], offset, grammar)
        return place_at(part.parsed, offset - part.start)

    def server_position_at_offset(self, offset: int) -> ServerTextPosition:
        line = self.lines.line_at(offset)
        column = min(offset - self.lines.start(line), len(self.lines[line]))
        return ServerTextPosition(line, column)


def _end_of_parsed(text: str, offset: int) -> int:
    """The start of a line that stays the same while somebody types above it."""
    lines = PARSED_LINES + PARSED_LINES - text.count("\n", 0, offset) % PARSED_LINES
    at = offset
    for _ in range(lines):
        at = text.find("\n", at) + 1
        if at == 0:
            return len(text)
    return at


@dataclass(frozen=True, slots=True)
class Withheld:
    """An open document without its text.

    Attributes:
        names: its URI, and the notebook's if it is a cell.
    """

    names: tuple[str, ...]
    reason: str


class DocumentStore(Workspace):
    """All open documents, without the text of those that are excluded. Only it changes them."""

    def __init__(
        self,
        root_uri: str | None,
        sync_kind: types.TextDocumentSyncKind = types.TextDocumentSyncKind.Incremental,
        workspace_folders: Sequence[types.WorkspaceFolder] | None = None,
        position_encoding: types.PositionEncodingKind | str | None = UTF_16,
        policy: ExclusionPolicy | None = None,
        on_let_go: Callable[[str], None] = lambda uri: None,
    ) -> None:
        """
        Args:
            on_let_go: hears of each document whose text was here and must not be seen any more.
        """
        super().__init__(root_uri, sync_kind, workspace_folders, position_encoding)
        self._position_codec = ClampingCodec(position_encoding)
        self._policy = policy or ExclusionPolicy()
        self._on_let_go = on_let_go
        self._withheld: dict[str, Withheld] = {}

    @property
    def policy(self) -> ExclusionPolicy:
        """What is never to be seen."""
        return self._policy

    def go_by(self, policy: ExclusionPolicy) -> list[str]:
        """Have another policy decide from now on.

        Returns:
            the URIs of documents that were let go.
        """
        self._policy = policy
        return self.withhold_excluded()

    def opened(self, uri: str) -> Document | None:
        """The document, if the client has opened it and it is not excluded by now.

        Nothing is ever read from the disk.
        """
        document = self._stored(uri)
        if document is not None:
            names = self._names_of(document.uri)
            if reason := self._reason_against(*names):
                self._withhold(names, reason)
                return None
        return document

    def why_withheld(self, uri: str) -> str | None:
        """Why the text of an open document is not here, if it is excluded."""
        withheld = self._withheld.get(unquote(uri))
        return withheld.reason if withheld else None

    def withhold_excluded(self) -> list[str]:
        """Look at all documents anew: ignore files may have changed.

        Returns:
            the URIs of documents that were let go.
        """
        self._policy.ignore_files.forget()
        uris = [document.uri for document in self.text_documents.values()]
        let_go = [uri for uri in uris if self.opened(uri) is None]
        for key, withheld in [*self._withheld.items()]:
            if self._reason_against(*withheld.names) is None:
                del self._withheld[key]
                name = withheld.names[0]
                log.info("%s is not excluded any more: close it and open it again", name)
        return let_go

    def withhold_renamed(self, old_uri: str, new_uri: str) -> list[str]:
        """A file or folder has another name now: let go of documents that it excludes.

        An editor closes and opens what it renames, but it may do so later, or not at all.

        Returns:
            the URIs, still the old ones, of documents that were let go.
        """
        old, new = unquote(old_uri).rstrip("/"), unquote(new_uri).rstrip("/")
        let_go = []
        for key, document in [*self.text_documents.items()]:
            if key != old and not key.startswith(f"{old}/"):
                continue
            renamed = quote(new + key.removeprefix(old), safe=":/")
            if reason := self._reason_against(renamed):
                self._withhold((document.uri, renamed), reason)
                let_go.append(document.uri)
        return let_go

    def get_text_document(self, doc_uri: str) -> Document:
        """The document if it is open and not excluded, else one without text."""
        return self.opened(doc_uri) or self._create_text_document(doc_uri, source="")

    def put_text_document(
        self, text_document: types.TextDocumentItem, notebook_uri: str | None = None
    ) -> None:
        names = (text_document.uri, notebook_uri) if notebook_uri else (text_document.uri,)
        if reason := self._reason_against(*names):
            self._withhold(names, reason)
            return
        self._withheld.pop(unquote(text_document.uri), None)
        super().put_text_document(text_document, notebook_uri)

    def remove_text_document(self, doc_uri: str) -> None:
        self._withheld.pop(unquote(doc_uri), None)
        super().remove_text_document(doc_uri)

    def put_notebook_document(self, params: types.DidOpenNotebookDocumentParams) -> None:
        if self._reason_against(params.notebook_document.uri) is None:
            super().put_notebook_document(params)
            return
        for cell in params.cell_text_documents:
            self.put_text_document(cell, params.notebook_document.uri)

    def update_notebook_document(self, params: types.DidChangeNotebookDocumentParams) -> None:
        if unquote(params.notebook_document.uri) in self.notebook_documents:
            super().update_notebook_document(params)

    def update_text_document(
        self,
        text_doc: types.VersionedTextDocumentIdentifier,
        change: types.TextDocumentContentChangeEvent,
    ) -> None:
        if self._stored(text_doc.uri) is None:
            if self.why_withheld(text_doc.uri) is None:
                log.warning("ignored a change of a document that was never opened")
            return
        super().update_text_document(text_doc, change)

    def _stored(self, uri: str) -> Document | None:
        document = self.text_documents.get(unquote(uri))
        return document if isinstance(document, Document) else None

    def _names_of(self, uri: str) -> tuple[str, ...]:
        """A document's URI, and that of the notebook around it."""
        notebook = self._cell_in_notebook.get(unquote(uri))
        return (uri, notebook) if notebook else (uri,)

    def _reason_against(self, *uris: str) -> str | None:
        """Why a document of these names is excluded."""
        roots = [folder.uri for folder in self.folders.values()]
        roots += [self.root_uri] if self.root_uri else []
        folders = [folder_path(root) for root in roots]
        for path in (path for uri in uris for path in paths_of(uri)):
            if reason := self._policy.reason_against(path, folders):
                return reason
        return None

    def _withhold(self, names: tuple[str, ...], reason: str) -> None:
        """Keep nothing of a document but its names and why."""
        had_text = self._stored(names[0]) is not None
        super().remove_text_document(names[0])
        self._withheld[unquote(names[0])] = Withheld(names, reason)
        log.info("%s is excluded: %s", names[0], reason)
        if had_text:
            self._on_let_go(names[0])

    def _create_text_document(
        self,
        doc_uri: str,
        source: str | None = None,
        version: int | None = None,
        language_id: str | None = None,
    ) -> Document:
        return Document(
            doc_uri,
            source=None if source is None else join_surrogates(source),
            version=version,
            language_id=language_id,
            sync_kind=self._sync_kind,
            position_codec=self._position_codec,
        )
