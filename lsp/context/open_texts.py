"""The open documents, as those see them who look for context."""

from __future__ import annotations

from pathlib import PurePath
from typing import TYPE_CHECKING, Protocol
from urllib.parse import unquote

from midfill.lsp.document_paths import folder_path, paths_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from midfill.lsp.documents import Document, DocumentStore


class OpenTexts(Protocol):
    """Open documents by their URIs."""

    def lines_of(self, uri: str) -> Sequence[str] | None:
        """The lines of an open document with their breaks; None if it is not open.

        A document that has come to be excluded just now may still be here: what is given to the
        model is looked at once more.
        """

    def text_of(self, uri: str) -> str | None:
        """The same in one piece."""

    def language_of(self, uri: str) -> str:
        """The client's name of a document's language; may be empty."""

    def by_path(self) -> Mapping[str, str]:
        """The text of each open document, by the path that it lies at."""

    def may_be_read(self, uri: str) -> bool:
        """Whether a document is open and nothing excludes it by now; looks at names on the disk."""

    @property
    def folders(self) -> tuple[str, ...]:
        """The paths of the workspace's folders."""


class StoredTexts:
    """The texts of a `DocumentStore`."""

    def __init__(self, documents: DocumentStore) -> None:
        self._documents = documents

    def lines_of(self, uri: str) -> Sequence[str] | None:
        document = self._stored(uri)
        return None if document is None else document.lines

    def text_of(self, uri: str) -> str | None:
        document = self._stored(uri)
        return None if document is None else document.source

    def language_of(self, uri: str) -> str:
        document = self._stored(uri)
        return "" if document is None else document.language_id or ""

    def by_path(self) -> Mapping[str, str]:
        return {
            file_of(document.uri): document.source
            for document in self._documents.text_documents.values()
        }

    def may_be_read(self, uri: str) -> bool:
        return self._documents.opened(uri) is not None

    @property
    def folders(self) -> tuple[str, ...]:
        uris = [folder.uri for folder in self._documents.folders.values()]
        if not uris and self._documents.root_uri:
            uris = [self._documents.root_uri]
        return tuple(folder_path(uri) for uri in uris)

    def _stored(self, uri: str) -> Document | None:
        from midfill.lsp.documents import Document

        document = self._documents.text_documents.get(unquote(uri))
        return document if isinstance(document, Document) else None


def file_of(uri: str) -> str:
    """Where a document lies: a path, or the name of a document without a file."""
    return paths_of(uri)[0]


def shown_path(path: str, folders: Sequence[str]) -> str:
    """What the model is told of where a file lies: its path in the workspace, else its name."""
    path = path.encode("utf-8", "replace").decode()  # a name on the disk may be any bytes
    asked = PurePath(path)
    for folder in sorted(folders, key=len, reverse=True):
        if asked.is_relative_to(folder):
            inner = asked.relative_to(folder).as_posix()
            return inner if inner != "." else asked.name
    return asked.name
