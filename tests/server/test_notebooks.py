"""Cells of a notebook in the real server, as an editor that knows notebooks sends them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lsprotocol import types

if TYPE_CHECKING:
    from editor import Editor

NOTEBOOK = "file:///sheet.ipynb"
FIRST = "class Rectangle:\n    def __init__(self, width, height):\n        self.width = width\n"
CODE = types.NotebookCellKind.Code


def show_notebook(editor: Editor, **cells: str) -> None:
    editor.notebook_document_did_open(
        types.DidOpenNotebookDocumentParams(
            types.NotebookDocument(
                NOTEBOOK,
                "jupyter-notebook",
                1,
                [types.NotebookCell(CODE, f"cell:{name}") for name in cells],
            ),
            [
                types.TextDocumentItem(f"cell:{name}", "python", 1, text)
                for name, text in cells.items()
            ],
        )
    )


def type_in_cell(editor: Editor, uri: str, version: int, character: int, text: str) -> None:
    where = types.Position(0, character)
    change = types.TextDocumentContentChangePartial(types.Range(where, where), text)
    content = types.NotebookDocumentCellContentChanges(
        types.VersionedTextDocumentIdentifier(version, uri), [change]
    )
    editor.notebook_document_did_change(
        types.DidChangeNotebookDocumentParams(
            types.VersionedNotebookDocumentIdentifier(version, NOTEBOOK),
            types.NotebookDocumentChangeEvent(
                cells=types.NotebookDocumentCellChanges(text_content=[content])
            ),
        )
    )


async def test_a_cell_is_filled_with_the_cells_above_in_view(editor: Editor) -> None:
    show_notebook(editor, one=FIRST, two="box = Rectan", three="print(box)")
    prompt = await editor.run_command(
        "midfill.showPrompt", "cell:two", {"line": 0, "character": 12}
    )
    assert "self.width = width" in prompt
    assert "print(box)" in prompt
    item = await editor.suggestion("cell:two", 0, 12)
    assert str(item.insert_text).startswith("gle(")


async def test_what_is_typed_in_a_cell_counts_at_the_next_request(editor: Editor) -> None:
    show_notebook(editor, one=FIRST, two="box")
    type_in_cell(editor, "cell:two", 2, 3, " = Rectan")
    item = await editor.suggestion("cell:two", 0, 12)
    assert str(item.insert_text).startswith("gle(")


async def test_a_cell_of_a_closed_notebook_has_no_suggestion(editor: Editor) -> None:
    show_notebook(editor, one=FIRST, two="box = Rectan")
    notebook = types.NotebookDocumentIdentifier(NOTEBOOK)
    cells = [types.TextDocumentIdentifier(uri) for uri in ("cell:one", "cell:two")]
    editor.notebook_document_did_close(types.DidCloseNotebookDocumentParams(notebook, cells))
    answer = await editor.ask("cell:two", 0, 12)
    assert answer is not None
    assert not answer.items


async def test_changes_of_a_notebook_never_opened_do_no_harm(editor: Editor) -> None:
    type_in_cell(editor, "cell:one", 2, 0, "x")
    show_notebook(editor, one=FIRST, two="box = Rectan")
    item = await editor.suggestion("cell:two", 0, 12)
    assert str(item.insert_text).startswith("gle(")
