"""The open documents, each exactly as its editor has it.

pygls keeps documents too, but it breaks lines wherever `str.splitlines` does (at form feeds and
U+2028, say), which no editor does, and clamps positions past the end wrongly. One edit misplaced,
and every later suggestion is made for a text that nobody sees.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING
from urllib.parse import unquote

from lsprotocol import types
from pygls.workspace import PositionCodec, ServerTextPosition, TextDocument, Workspace

from midfill.lsp.text_positions import (
    UTF_16,
    characters_in,
    code_units,
    has_surrogate,
    join_surrogates,
    split_lines,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

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

    _lines: tuple[str, ...] | None = None

    @property
    def lines(self) -> Sequence[str]:
        """The lines with their breaks; there is always at least one."""
        if self._lines is None:
            self._lines = split_lines(self.source)
        return self._lines

    def apply_change(self, change: types.TextDocumentContentChangeEvent) -> None:
        super().apply_change(change)
        self._lines = None

    def _apply_full_change(self, change: types.TextDocumentContentChangeEvent) -> None:
        self._source = join_surrogates(change.text)

    def _apply_incremental_change(self, change: types.TextDocumentContentChangePartial) -> None:
        start = self.offset_at_position(change.range.start)
        end = self.offset_at_position(change.range.end)
        start, end = min(start, end), max(start, end)
        old = self.source
        new = old[:start] + change.text + old[end:]
        touched = new[max(start - 1, 0) : start + len(change.text) + 1]
        self._source = join_surrogates(new) if has_surrogate(touched) else new

    def server_position_at_offset(self, offset: int) -> ServerTextPosition:
        start = 0
        for number, line in enumerate(self.lines):
            if offset < start + len(line):
                return ServerTextPosition(number, offset - start)
            start += len(line)
        return ServerTextPosition(len(self.lines) - 1, len(self.lines[-1]))


class DocumentStore(Workspace):
    """All open documents. Only it changes them."""

    def __init__(
        self,
        root_uri: str | None,
        sync_kind: types.TextDocumentSyncKind = types.TextDocumentSyncKind.Incremental,
        workspace_folders: Sequence[types.WorkspaceFolder] | None = None,
        position_encoding: types.PositionEncodingKind | str | None = UTF_16,
    ) -> None:
        super().__init__(root_uri, sync_kind, workspace_folders, position_encoding)
        self._position_codec = ClampingCodec(position_encoding)

    def opened(self, uri: str) -> Document | None:
        """The document, if the client has opened it. Nothing is ever read from the disk."""
        document = self.text_documents.get(unquote(uri))
        return document if isinstance(document, Document) else None

    def update_text_document(
        self,
        text_doc: types.VersionedTextDocumentIdentifier,
        change: types.TextDocumentContentChangeEvent,
    ) -> None:
        if self.opened(text_doc.uri) is None:
            log.warning("ignored a change of a document that was never opened")
            return
        super().update_text_document(text_doc, change)

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
