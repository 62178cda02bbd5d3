"""A cell is read together with the others of its language, as one script."""

from __future__ import annotations

from lsprotocol import types

from midfill.inference.text.hole_at_cursor import Hole
from midfill.lsp.documents import DocumentStore
from midfill.lsp.inline_completion import hole_for, request_for, spot_of
from midfill.lsp.notebook_cells import around_cell
from midfill.lsp.snapshot import Snapshot, take_snapshot

NOTEBOOK = "file:///a.ipynb"
CODE, MARKUP = types.NotebookCellKind.Code, types.NotebookCellKind.Markup


def store_with(*cells: tuple[str, str]) -> DocumentStore:
    """A notebook of cells ``cell:0``, ``cell:1`` … with a language and a text each."""
    store = DocumentStore(None)
    documents = [
        types.TextDocumentItem(f"cell:{at}", language, 1, text)
        for at, (language, text) in enumerate(cells)
    ]
    listed = [
        types.NotebookCell(MARKUP if item.language_id == "markdown" else CODE, item.uri)
        for item in documents
    ]
    notebook = types.NotebookDocument(NOTEBOOK, "jupyter-notebook", 1, listed)
    store.put_notebook_document(types.DidOpenNotebookDocumentParams(notebook, documents))
    return store


def snapshot_of(store: DocumentStore, uri: str, line: int, character: int) -> Snapshot:
    document = store.opened(uri)
    assert document is not None
    params = types.InlineCompletionParams(
        types.InlineCompletionContext(types.InlineCompletionTriggerKind.Automatic),
        types.TextDocumentIdentifier(uri),
        types.Position(line, character),
    )
    return take_snapshot(document, params, *around_cell(store, uri))


def test_cells_of_the_same_language_stand_above_and_below() -> None:
    store = store_with(
        ("python", "import os\n"),
        ("markdown", "# About"),
        ("python", "x = "),
        ("sql", "select 1"),
        ("python", "  \n"),
        ("python", "print(x)"),
    )
    assert around_cell(store, "cell:2") == ("import os\n\n", "\n\nprint(x)")
    assert around_cell(store, "cell:1") == ("", "")
    assert around_cell(store, "cell:5")[0] == "import os\n\nx =\n\n"


def test_a_document_that_is_no_cell_stands_alone() -> None:
    store = store_with(("python", "import os"))
    store.put_text_document(types.TextDocumentItem("file:///a.py", "python", 1, "x = 1"))
    assert around_cell(store, "file:///a.py") == ("", "")
    assert around_cell(store, "file:///unknown.py") == ("", "")


def test_the_request_has_the_notebook_around_the_cell() -> None:
    store = store_with(("python", "import os"), ("python", "path = "), ("python", "print(path)"))
    snapshot = snapshot_of(store, "cell:1", 0, 7)
    spot = spot_of(snapshot)
    hole = hole_for(snapshot, spot)
    assert isinstance(hole, Hole)
    request = request_for(snapshot, spot, hole)
    assert request.prefix == "import os\n\npath = "
    assert request.suffix == "\n\nprint(path)"
    assert snapshot.range.start == types.Position(0, 7)


def test_cells_that_move_are_read_in_their_new_order() -> None:
    store = store_with(("python", "a = 1"), ("python", "b = 2"))
    array = types.NotebookCellArrayChange(
        0, 2, [types.NotebookCell(CODE, "cell:1"), types.NotebookCell(CODE, "cell:0")]
    )
    store.update_notebook_document(
        types.DidChangeNotebookDocumentParams(
            types.VersionedNotebookDocumentIdentifier(2, NOTEBOOK),
            types.NotebookDocumentChangeEvent(
                cells=types.NotebookDocumentCellChanges(
                    types.NotebookDocumentCellChangeStructure(array)
                )
            ),
        )
    )
    assert around_cell(store, "cell:0") == ("b = 2\n\n", "")
