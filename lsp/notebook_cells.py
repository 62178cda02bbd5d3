"""What stands around a cell of a notebook, read as one script."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from midfill.lsp.documents import DocumentStore

BETWEEN = "\n\n"
"""Between the texts of two cells."""


def around_cell(documents: DocumentStore, uri: str) -> tuple[str, str]:
    """The cells of the same language above and below one, each text up to the cell's own border.

    Both are empty for a document that is no cell. Cells without text count as not there.
    """
    notebook = documents.get_notebook_document(cell_uri=uri)
    if notebook is None:
        return "", ""
    uris = [cell.document for cell in notebook.cells]
    if uri not in uris:
        return "", ""
    at = uris.index(uri)
    language = documents.get_text_document(uri).language_id
    above = _texts(documents, uris[:at], language)
    below = _texts(documents, uris[at + 1 :], language)
    return "".join(text + BETWEEN for text in above), "".join(BETWEEN + text for text in below)


def _texts(documents: DocumentStore, uris: Iterable[str], language: str | None) -> list[str]:
    opened = [documents.opened(uri) for uri in uris]
    return [
        cell.source.rstrip()
        for cell in opened
        if cell is not None and cell.language_id == language and cell.source.strip()
    ]
