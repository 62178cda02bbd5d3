"""What becomes of suggestions, from the real process to the figures on the command line."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from editor import EVERYTHING, Editor

if TYPE_CHECKING:
    from pathlib import Path

    from lsprotocol import types

BEFORE = (
    "class Rectangle:\n"
    "    def __init__(self, width: float, height: float) -> None:\n"
    "        self.width = width\n"
    "        self.height = height\n"
    "\n"
    "    def area(self) -> float:\n"
    "        return "
)
AFTER = "\n\n    def perimeter(self) -> float:\n        return 2 * (self.width + self.height)\n"
LINE, CHARACTER = 6, 15


@pytest.fixture
def state(own_engine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MIDFILL_STATE_DIR", str(tmp_path / "own"))
    return tmp_path / "own"


def figures() -> Any:  # noqa: ANN401
    command = [sys.executable, "-m", "midfill.lsp", "stats", "--json"]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


async def offered(editor: Editor, uri: str, **options: object) -> types.InlineCompletionItem:
    """Open a window with a document, and have it suggest something."""
    await editor.open_window(options=EVERYTHING | options)
    await editor.ready()
    editor.show(uri, BEFORE + AFTER)
    return await editor.suggestion(uri, LINE, CHARACTER)


async def test_an_accepted_suggestion_is_counted(state: Path) -> None:
    editor = Editor()
    item = await offered(editor, "file:///rectangle.py")
    await asyncio.sleep(0.5)
    editor.type("file:///rectangle.py", 2, LINE, CHARACTER, str(item.insert_text))
    assert item.command is not None
    await editor.run_command(item.command.command, *(item.command.arguments or []))
    assert await editor.close_window() == 0
    found = figures()
    assert found["endings"]["accepted"] == 1
    assert found["saved"] == len(str(item.insert_text))
    assert found["languages"][0]["name"] == "python"
    assert found["latencies"]["denoise"]["p50"] > 0
    assert found["latencies"]["total"]["p50"] >= found["latencies"]["engine"]["p50"]
    assert found["requests"]["shown"] >= 1


async def test_a_suggestion_is_followed_by_edits_alone(state: Path) -> None:
    editor = Editor()
    item = await offered(editor, "file:///rectangle.py")
    await asyncio.sleep(0.5)
    text = str(item.insert_text)
    for at, key in enumerate(text):
        editor.type("file:///rectangle.py", 2 + at, LINE, CHARACTER + at, key)
    editor.show("file:///other.py", BEFORE + AFTER)
    await editor.suggestion("file:///other.py", LINE, CHARACTER)
    await asyncio.sleep(0.5)
    editor.type("file:///other.py", 2, LINE, CHARACTER, "?")
    assert await editor.close_window() == 0
    found = figures()
    assert found["endings"]["typed-through"] == 1
    assert found["endings"]["rejected"] == 1
    assert found["typed"] == len(text)


async def test_a_client_may_tell_what_is_shown_and_taken_in_part(state: Path) -> None:
    editor = Editor()
    item = await offered(editor, "file:///rectangle.py")
    wire = editor.protocol._converter.unstructure(item)
    editor.protocol.notify("textDocument/didShowCompletion", {"item": wire})
    await asyncio.sleep(0.5)
    editor.type("file:///rectangle.py", 2, LINE, CHARACTER, str(item.insert_text)[:4])
    partly = {"item": wire, "acceptedLength": 4}
    editor.protocol.notify("textDocument/didPartiallyAcceptCompletion", partly)
    editor.protocol.notify("textDocument/didPartiallyAcceptCompletion", {"item": None})
    assert await editor.close_window() == 0
    found = figures()
    assert found["endings"]["accepted-in-part"] == 1
    assert found["saved"] == 4


async def test_nothing_is_kept_where_nobody_wants_it(state: Path) -> None:
    editor = Editor()
    item = await offered(editor, "file:///rectangle.py", statistics=False)
    assert item.command is None
    editor.type("file:///rectangle.py", 2, LINE, CHARACTER, str(item.insert_text))
    assert await editor.close_window() == 0
    assert not state.exists()


async def test_no_source_text_and_no_name_of_a_file_is_kept(state: Path) -> None:
    editor = Editor()
    item = await offered(editor, "file:///place/rectangle.py")
    editor.type("file:///place/rectangle.py", 2, LINE, CHARACTER, str(item.insert_text))
    assert await editor.close_window() == 0
    kept = b"".join(path.read_bytes() for path in state.rglob("*") if path.is_file())
    assert b"python" in kept
    for word in ("rectangle", "place", "width", str(item.insert_text)):
        assert word.encode() not in kept
