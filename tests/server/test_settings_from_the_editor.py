"""Settings from every place they come from, with the real server and the real model."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from lsprotocol import types

if TYPE_CHECKING:
    from pathlib import Path

    from editor import Editor

BEFORE = "def add(a, b):\n    return a +"
QUIET = {"enabled": False}


async def explained(editor: Editor, uri: str) -> str:
    """Ask for a suggestion and then why there is none."""
    answer = await editor.ask(uri, 1, 14)
    assert answer is not None
    if answer.items:
        return ""
    said = await editor.run_command("midfill.explain", uri)
    assert isinstance(said, str)
    return said


async def test_the_client_s_answers_hold_and_change_at_run_time(
    new_editor: Editor, tmp_path: Path
) -> None:
    everything = {"minimumConfidence": 0}
    new_editor.configuration = {"": everything, tmp_path.as_uri(): {"mode": "manual", "modee": 1}}
    await new_editor.open_window(folder=tmp_path)
    await new_editor.ready()
    uri = (tmp_path / "a.py").as_uri()
    new_editor.show(uri, BEFORE)
    assert "only when it is asked by hand" in await explained(new_editor, uri)
    assert any("Is it midfill.mode?" in said for said in new_editor.shown)
    new_editor.configuration = {"": everything}
    new_editor.workspace_did_change_configuration(types.DidChangeConfigurationParams(None))
    await new_editor.suggestion(uri, 1, 14)


@pytest.mark.parametrize("answer", ["late", "nonsense"])
async def test_a_client_that_does_not_tell_its_settings_is_served_all_the_same(
    new_editor: Editor, answer: str
) -> None:
    new_editor.configuration = answer
    await new_editor.open_window()
    await new_editor.ready()
    new_editor.show("file:///a.py", BEFORE)
    await new_editor.suggestion("file:///a.py", 1, 14)
    await asyncio.sleep(3 if answer == "late" else 0)


async def test_settings_that_are_pushed_hold_and_exclude_what_is_open(new_editor: Editor) -> None:
    new_editor.configuration = None
    await new_editor.open_window()
    await new_editor.ready()
    new_editor.show("file:///somewhere/a.py", BEFORE)
    pushed: list[Any] = [None, 3, {"other": 1}, {"midfill": {"exclude": ["a.py"]}}]
    for settings in pushed:
        new_editor.workspace_did_change_configuration(types.DidChangeConfigurationParams(settings))
    assert "excluded" in await explained(new_editor, "file:///somewhere/a.py")


async def test_a_file_in_the_folder_quietens_it_and_cannot_do_more(
    new_editor: Editor, tmp_path: Path
) -> None:
    (tmp_path / ".midfill.toml").write_text('enabled = false\nmodel = "other"\n')
    new_editor.configuration = {}
    await new_editor.open_window(folder=tmp_path)
    await new_editor.ready()
    uri = (tmp_path / "a.py").as_uri()
    new_editor.show(uri, BEFORE)
    assert "switched off here" in await explained(new_editor, uri)
    assert "switched off here" in await explained(new_editor, uri)
    [complaint] = [said for said in new_editor.shown if ".midfill.toml:" in said]
    assert "model is for your own settings alone" in complaint
    (tmp_path / ".midfill.toml").unlink()
    changed = types.FileEvent((tmp_path / ".midfill.toml").as_uri(), types.FileChangeType.Deleted)
    new_editor.workspace_did_change_watched_files(types.DidChangeWatchedFilesParams([changed]))
    await new_editor.suggestion(uri, 1, 14)


async def test_completion_is_there_for_those_who_want_it_and_comes_last(
    new_editor: Editor,
) -> None:
    result = await new_editor.open_window(options={"completion": True, "minimumConfidence": 0})
    assert result.capabilities.completion_provider is not None
    await new_editor.ready()
    uri = "file:///a.py"
    new_editor.show(uri, BEFORE)
    where = types.Position(1, 14)
    for _ in range(5):
        answer = await new_editor.text_document_completion_async(
            types.CompletionParams(types.TextDocumentIdentifier(uri), where)
        )
        assert isinstance(answer, types.CompletionList)
        assert answer.is_incomplete
        if answer.items:
            break
        await asyncio.sleep(0.1)
    [item] = answer.items
    assert isinstance(item.text_edit, types.TextEdit)
    assert item.text_edit.new_text.strip() == "b"
    assert item.sort_text is not None
    assert item.sort_text > "zzzz"
    assert not item.preselect


async def test_completion_is_not_offered_unasked(new_editor: Editor) -> None:
    result = await new_editor.open_window(options=QUIET)
    assert result.capabilities.completion_provider is None


async def test_who_switches_it_on_later_is_served_from_then_on(new_editor: Editor) -> None:
    new_editor.configuration = {"": QUIET}
    await new_editor.open_window()
    new_editor.show("file:///a.py", BEFORE)
    assert "switched off here" in await explained(new_editor, "file:///a.py")
    new_editor.configuration = {"": {"minimumConfidence": 0}}
    new_editor.workspace_did_change_configuration(types.DidChangeConfigurationParams(None))
    await new_editor.ready()
    await new_editor.suggestion("file:///a.py", 1, 14)
