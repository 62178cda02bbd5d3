"""Holes and ranges filled in place, by the real server with the real model."""

from __future__ import annotations

import ast
import asyncio
from typing import TYPE_CHECKING

from lsprotocol import types

if TYPE_CHECKING:
    from editor import Editor

URI = "file:///somewhere/rectangle.py"

HOLES = '''\
class Rectangle:
    def __init__(self, width: float, height: float) -> None:
        self.width = width
        self.height = height

    def area(self) -> float:
        """The product of the two sides."""
        ...

    def perimeter(self) -> float:
        return ___
'''


def whole(text: str) -> types.Range:
    return types.Range(types.Position(0, 0), types.Position(text.count("\n"), 0))


def applied(text: str, edit: types.WorkspaceEdit) -> str:
    """The text after the edit, whose changes are in order."""
    [change] = edit.document_changes or []
    assert isinstance(change, types.TextDocumentEdit)
    starts = [0]
    for line in text.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    for part in reversed(change.edits):
        start = starts[part.range.start.line] + part.range.start.character
        end = starts[part.range.end.line] + part.range.end.character
        text = text[:start] + part.new_text + text[end:]
    return text


async def test_all_placeholders_are_filled_in_one_edit(editor: Editor) -> None:
    editor.show(URI, HOLES)
    await editor.run_command("midfill.fillHoles", URI)
    [edit] = editor.edits
    text = applied(HOLES, edit)
    ast.parse(text)
    assert "..." not in text
    assert "___" not in text
    assert "self.width * self.height" in text
    [change] = edit.document_changes or []
    assert isinstance(change, types.TextDocumentEdit)
    assert change.text_document.version == 1
    assert {part.annotation_id for part in change.edits} == set(edit.change_annotations or {})


async def test_the_code_being_denoised_is_told_as_progress(editor: Editor) -> None:
    text = "def mean(numbers: list[float]) -> float:\n    # TODO: refuse an empty list\n    ...\n"
    editor.show(URI, text)
    await editor.run_command("midfill.fillHoles", URI)
    [reports] = [
        reports
        for token, reports in editor.progress_reports.items()
        if str(token).startswith("midfill-fill")
    ]
    drafts = [report for report in reports if report.kind == "report"]
    assert len(drafts) > 3
    assert any("numbers" in (draft.message or "") for draft in drafts)


async def test_a_selection_offers_to_be_filled(editor: Editor) -> None:
    editor.show(URI, HOLES)
    context = types.CodeActionContext([])
    answer = await editor.text_document_code_action_async(
        types.CodeActionParams(types.TextDocumentIdentifier(URI), whole(HOLES), context)
    )
    assert [action.title for action in answer or []] == [
        "Fill with Midfill",
        "Fill all placeholders with Midfill",
    ]
    await editor.run_command("midfill.fillHoles", URI, whole(HOLES))
    assert len(editor.edits) == 1
    nothing = types.Range(types.Position(0, 0), types.Position(0, 0))
    assert not await editor.text_document_code_action_async(
        types.CodeActionParams(types.TextDocumentIdentifier(URI), nothing, context)
    )


async def test_a_range_is_replaced_by_what_fits_between_its_sides(editor: Editor) -> None:
    text = HOLES.replace("___", "12345").replace("...", "return self.width * self.height")
    editor.show(URI, text)
    line = text[: text.index("12345")].count("\n")
    where = types.Range(types.Position(line, 15), types.Position(line, 20))
    await editor.run_command("midfill.fillRange", URI, where)
    [edit] = editor.edits
    filled = applied(text, edit)
    ast.parse(filled)
    assert "12345" not in filled
    assert "self.height" in filled.splitlines()[line]


async def test_an_edit_follows_text_that_moves_meanwhile(editor: Editor) -> None:
    editor.show(URI, HOLES)
    running = asyncio.create_task(editor.run_command("midfill.fillHoles", URI))
    await asyncio.sleep(0.1)
    editor.type(URI, 2, 0, 0, "import math\n\n\n")
    await running
    [edit] = editor.edits
    text = applied("import math\n\n\n" + HOLES, edit)
    ast.parse(text)
    assert "___" not in text


async def progress_token(editor: Editor) -> str:
    """Wait until filling has begun."""
    while True:
        for token, reports in editor.progress_reports.items():
            if str(token).startswith("midfill-fill") and reports:
                return str(token)
        await asyncio.sleep(0.01)


async def test_who_cancels_gets_no_edit(editor: Editor) -> None:
    editor.show(URI, "import json\n\n\ndef load(path):\n    ...\n\n\ndef save(path):\n    ...\n")
    running = asyncio.create_task(editor.run_command("midfill.fillHoles", URI))
    token = await progress_token(editor)
    editor.window_work_done_progress_cancel(types.WorkDoneProgressCancelParams(token))
    assert await running is None
    assert editor.edits == []
    [*_, last] = editor.progress_reports[token]
    assert last.kind == "end"


async def test_a_document_that_is_closed_meanwhile_is_left_alone(editor: Editor) -> None:
    editor.show(URI, "import csv\n\n\ndef rows(path):\n    ...\n\n\ndef write(rows):\n    ...\n")
    running = asyncio.create_task(editor.run_command("midfill.fillHoles", URI))
    await progress_token(editor)
    editor.text_document_did_close(
        types.DidCloseTextDocumentParams(types.TextDocumentIdentifier(URI))
    )
    assert await running is None
    assert editor.edits == []


async def test_without_placeholders_the_user_is_told(editor: Editor) -> None:
    editor.show(URI, "x = 1\n")
    assert await editor.run_command("midfill.fillHoles", URI) is None
    assert await editor.run_command("midfill.fillHoles", "file:///not/open.py") is None
    assert [message.message[:28] for message in editor.messages] == [
        "There is no placeholder here",
        "This document is not open.",
    ]
    assert editor.edits == []


async def test_an_editor_that_refuses_the_edit_is_not_told_it_was_made(editor: Editor) -> None:
    editor.show(URI, "x = ___\n")
    editor.takes_edits = False
    assert await editor.run_command("midfill.fillHoles", URI) is None
    assert "did not take the edit" in editor.messages[-1].message


async def test_why_there_is_nothing_can_be_asked(editor: Editor) -> None:
    editor.show(URI, "total = | + other_total\n".replace("|", ""))
    answer = await editor.ask(URI, 0, 8)
    assert answer is not None
    assert not answer.items
    sentence = await editor.run_command("midfill.explain")
    assert sentence.startswith("The line goes on to the right of the cursor.")
    assert editor.messages[-1].message == sentence


async def test_a_snooze_is_quiet_and_shown_and_ends(editor: Editor) -> None:
    editor.show(URI, "import math\n\nradius = 2\narea = \n")
    await editor.run_command("midfill.snooze", 5)
    assert editor.statuses[-1].activity == "paused"
    answer = await editor.ask(URI, 3, 7)
    assert answer is not None
    assert not answer.items
    assert "paused" in await editor.run_command("midfill.explain", URI)
    await editor.run_command("midfill.resume")
    assert (await editor.suggestion(URI, 3, 7)).insert_text
    assert {status.activity for status in editor.statuses} >= {"idle", "thinking", "paused"}


async def test_a_suggestion_that_is_typed_costs_the_engine_nothing(editor: Editor) -> None:
    editor.show(URI, "import math\n\nradius = 2\narea = \n")
    text = (await editor.suggestion(URI, 3, 7)).insert_text
    assert isinstance(text, str)
    thoughts = [status.activity for status in editor.statuses].count("thinking")
    editor.type(URI, 2, 3, 7, text[:3])
    assert (await editor.suggestion(URI, 3, 10)).insert_text == text[3:]
    assert [status.activity for status in editor.statuses].count("thinking") == thoughts
