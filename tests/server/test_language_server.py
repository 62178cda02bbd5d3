"""The real server process over standard input and output, with the real model behind it."""

from __future__ import annotations

import ast
import asyncio
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from editor import AUTOMATIC, INVOKED, Editor, end
from lsprotocol import types
from pygls.exceptions import JsonRpcInvalidParams, JsonRpcMethodNotFound, JsonRpcRequestCancelled

from midfill.lsp.running_engine import running_engine

FILE = Path(__file__).with_name("conftest.py")
"""A real Python file."""

RECTANGLE = '''\
class Rectangle:
    """A rectangle; ✓ tested."""

    def __init__(self, width: float, height: float) -> None:
        self.width = width
        self.height = height

    def area(self) -> float:
        """The product of the two sides."""
        return #cursor#

    def perimeter(self) -> float:
        return 2 * (self.width + self.height)
'''

CANARY = "canary_of_the_source_text"


def place(marked: str) -> tuple[str, int, int]:
    """A text without its cursor, and the line and character of it."""
    before, _, after = marked.partition("#cursor#")
    lines = before.split("\n")
    return before + after, len(lines) - 1, len(lines[-1])


def texts(answer: types.InlineCompletionList | None) -> list[str]:
    assert answer is not None
    return [str(item.insert_text) for item in answer.items]


async def test_inline_completion_is_advertised(own_engine: Path) -> None:
    editor = Editor()
    result = await editor.open_window(options={"enabled": False})
    assert result.capabilities.inline_completion_provider == types.InlineCompletionOptions()
    assert result.server_info is not None
    assert result.server_info.name == "midfill"
    await editor.close_window()


async def test_a_line_is_filled_so_that_the_file_parses(editor: Editor) -> None:
    text, line, character = place(RECTANGLE)
    editor.show("file:///rectangle.py", text)
    item = await editor.suggestion("file:///rectangle.py", line, character)
    assert "self.width" in str(item.insert_text)
    cursor = types.Position(line, character)
    assert item.range == types.Range(cursor, cursor)
    ast.parse(RECTANGLE.replace("#cursor#", str(item.insert_text)))


async def test_a_line_of_a_real_file_is_filled(editor: Editor) -> None:
    text = FILE.read_text("utf-8")
    lines = text.split("\n")
    line = next(number for number, found in enumerate(lines) if found.startswith("    shutil."))
    lines[line] = "    "
    editor.show(FILE.as_uri(), "\n".join(lines))
    item = await editor.suggestion(FILE.as_uri(), line, 4)
    assert str(item.insert_text).strip()
    lines[line] = "    " + str(item.insert_text)
    ast.parse("\n".join(lines))


async def test_several_suggestions_on_demand_each_another(editor: Editor) -> None:
    text, line, character = place(RECTANGLE)
    editor.show("file:///several.py", text)
    offered = texts(await editor.ask("file:///several.py", line, character, INVOKED))
    assert 1 <= len(offered) <= 3
    assert len(set(offered)) == len(offered)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-32"])
async def test_characters_outside_the_basic_plane_are_counted_as_agreed(
    own_engine: Path, encoding: str
) -> None:
    before = "    faces = ['😀', '👩\u200d👩\u200d👧', 'e\u0301', '汉']; "
    text = f"def smile() -> list[str]:\n{before}\n    return faces\n"
    units = {"utf-8": 1, "utf-16": 2, "utf-32": 4}[encoding]
    codec = encoding if encoding == "utf-8" else f"{encoding}-le"
    character = len(before.encode(codec)) // units
    editor = Editor()
    result = await editor.open_window(encodings=[encoding])
    assert result.capabilities.position_encoding == encoding
    await editor.ready()
    # Typed twice, so that the server has to count for edits, too.
    editor.show("file:///smile.py", text)
    editor.type("file:///smile.py", 2, 1, character, "first = ")
    item = await editor.suggestion("file:///smile.py", 1, character + 8)
    assert str(item.insert_text).startswith("faces")
    cursor = types.Position(1, character + 8)
    assert item.range == types.Range(cursor, cursor)
    await editor.close_window()


async def test_a_document_with_carriage_returns_gets_them(editor: Editor) -> None:
    text = "def add(a: int, b: int) -> int:\r\n\r\n\r\nprint(add(1, 2))\r\n"
    editor.show("file:///crlf.py", text)
    item = await editor.suggestion("file:///crlf.py", 0, len("def add(a: int, b: int) -> int:"))
    inserted = str(item.insert_text)
    assert inserted.startswith("\r\n    return a + b")
    assert "\n" not in inserted.replace("\r\n", "")


async def test_an_untitled_document_is_filled(editor: Editor) -> None:
    text, line, character = place(RECTANGLE)
    editor.show("untitled:Untitled-1", text)
    item = await editor.suggestion("untitled:Untitled-1", line, character)
    assert "self.width" in str(item.insert_text)


async def test_a_popup_entry_is_gone_on_from(editor: Editor) -> None:
    marked = RECTANGLE.replace("#cursor#", "self.wi#cursor#")
    text, line, character = place(marked)
    editor.show("file:///popup.py", text)
    entry = types.Range(types.Position(line, character - 2), types.Position(line, character))
    popup = types.SelectedCompletionInfo(entry, "width")
    answer = await editor.ask("file:///popup.py", line, character, popup=popup)
    assert answer is not None
    for item in answer.items:
        assert str(item.insert_text).startswith("width *")
        assert item.range == entry
    assert answer.items


async def test_inside_a_word_there_is_nothing(editor: Editor) -> None:
    editor.show("file:///word.py", "name = 1\n")
    assert texts(await editor.ask("file:///word.py", 0, 2)) == []


async def test_the_newest_request_of_a_document_supersedes_the_others(editor: Editor) -> None:
    text, line, character = place(RECTANGLE)
    editor.show("file:///superseded.py", text)
    answers = await asyncio.gather(
        *(editor.ask("file:///superseded.py", line, character) for _ in range(5))
    )
    assert answers[:-1] == [None] * 4
    assert len(texts(answers[-1])) == 1


async def test_a_cancelled_request_is_answered_as_cancelled(editor: Editor) -> None:
    text, line, character = place(RECTANGLE)
    editor.show("file:///cancelled.py", "'''Another beginning.'''\n" + text)
    answer = editor.ask("file:///cancelled.py", line + 1, character, INVOKED, request="mine")
    editor.cancel_request(types.CancelParams("mine"))
    with pytest.raises(JsonRpcRequestCancelled):
        await answer
    item = await editor.suggestion("file:///cancelled.py", line + 1, character)
    assert str(item.insert_text).strip()


async def test_an_answer_for_a_text_that_has_changed_is_null(editor: Editor) -> None:
    text, line, character = place(RECTANGLE)
    editor.show("file:///changed.py", text)
    answer = editor.ask("file:///changed.py", line, character)
    editor.type("file:///changed.py", 2, line, character, "self")
    assert await answer is None


async def test_a_closed_document_is_answered_null_then_nothing(editor: Editor) -> None:
    text, line, character = place(RECTANGLE)
    editor.show("file:///closed.py", text)
    answer = editor.ask("file:///closed.py", line, character)
    editor.text_document_did_close(
        types.DidCloseTextDocumentParams(types.TextDocumentIdentifier("file:///closed.py"))
    )
    assert await answer is None
    assert texts(await editor.ask("file:///closed.py", line, character)) == []


async def test_nonsense_does_no_harm(editor: Editor) -> None:
    """Changes of unknown documents, impossible positions and ranges, unknown messages."""
    editor.type("file:///never/opened.py", 3, 0, 0, CANARY)
    assert texts(await editor.ask("file:///never/opened.py", 0, 0)) == []

    editor.show("file:///nonsense.py", "total = \n")
    backwards = types.Range(types.Position(9, 9), types.Position(0, 99))
    editor.text_document_did_change(
        types.DidChangeTextDocumentParams(
            types.VersionedTextDocumentIdentifier(2, "file:///nonsense.py"),
            [types.TextDocumentContentChangePartial(backwards, "\nlast = [1, 2")],
        )
    )
    item = await editor.suggestion("file:///nonsense.py", 77, 77)
    assert item.range == types.Range(types.Position(1, 12), types.Position(1, 12))

    editor.protocol.notify("midfill/noSuchNotification", {"text": CANARY})
    with pytest.raises(JsonRpcMethodNotFound):
        await editor.protocol.send_request_async("midfill/noSuchRequest", {"text": CANARY})
    with pytest.raises(JsonRpcInvalidParams):
        await asyncio.wait_for(editor.malformed_request(), 5)
    editor.send(b'{"jsonrpc": "2.0", "method": "textDocument/didOpen", "params": 3}')
    editor.send(b"{nonsense")

    text, line, character = place(RECTANGLE)
    editor.show("file:///after.py", text)
    assert await editor.suggestion("file:///after.py", line, character)
    assert editor.messages == []


async def test_an_engine_that_dies_costs_one_suggestion(editor: Editor) -> None:
    text, line, character = place(RECTANGLE)
    editor.show("file:///dies.py", "'''Something else first.'''\n" + text)
    engine = running_engine("embedded")
    assert engine is not None
    answer = editor.ask("file:///dies.py", line + 1, character, INVOKED)
    await asyncio.sleep(0.05)
    end(engine)
    assert texts(await asyncio.wait_for(answer, 5)) == []

    await editor.status(lambda status: status.state == "loading")
    assert (
        texts(await asyncio.wait_for(editor.ask("file:///dies.py", line + 1, character), 1)) == []
    )

    await editor.ready()
    item = await editor.suggestion("file:///dies.py", line + 1, character)
    assert "self.width" in str(item.insert_text)
    assert editor.log.count("no suggestion") <= 1


async def test_progress_is_shown_while_the_model_loads(own_engine: Path) -> None:
    if engine := running_engine("embedded"):
        end(engine)
    editor = Editor()
    await editor.open_window()
    # Meanwhile the server answers at once.
    editor.show("file:///loading.py", "total = ")
    assert texts(await asyncio.wait_for(editor.ask("file:///loading.py", 0, 8), 1)) == []
    await editor.ready()
    async with asyncio.timeout(5):
        while not any(
            isinstance(reports[-1], types.WorkDoneProgressEnd)
            for reports in editor.progress_reports.values()
            if reports
        ):
            await asyncio.sleep(0.01)
    for reports in editor.progress_reports.values():
        kinds = [report.kind for report in reports]
        assert kinds[0] == "begin"
        assert kinds[-1] == "end"
        assert set(kinds[1:-1]) <= {"report"}
    await editor.close_window()


async def test_a_client_without_progress_bars_is_not_asked_for_one(own_engine: Path) -> None:
    if engine := running_engine("embedded"):
        end(engine)
    editor = Editor()
    await editor.open_window(progress=False)
    await editor.ready()
    assert editor.progress_reports == {}
    await editor.close_window()


async def test_two_windows_share_one_engine(editor: Editor) -> None:
    engine = running_engine("embedded")
    other = Editor()
    await other.open_window()
    await other.ready()
    found = running_engine("embedded")
    assert engine is not None
    assert found is not None
    assert found.pid == engine.pid
    await other.close_window()


async def test_no_source_text_is_logged_anywhere(own_engine: Path, editor: Editor) -> None:
    text, line, character = place(RECTANGLE)
    uri = "file:///canary.py"
    editor.show(uri, text.replace("Rectangle", CANARY))
    await editor.ask(uri, line, character, INVOKED)
    editor.type(uri, 2, line, character, CANARY)
    editor.show(f"{uri}2", f"{CANARY} = '\ud800'\n")
    await editor.ask(f"{uri}2", 1, 0, AUTOMATIC)
    editor.type("file:///never/opened.py", 2, 0, 0, CANARY)
    editor.protocol.notify("midfill/noSuchNotification", {"text": CANARY})
    wrong = {"textDocument": {"uri": uri}, "position": {"line": CANARY, "character": -1}}
    editor.protocol._send_data(
        {"jsonrpc": "2.0", "id": 99, "method": "textDocument/inlineCompletion", "params": wrong}
    )
    editor.protocol._send_data(
        {"jsonrpc": "2.0", "method": "textDocument/didOpen", "params": {"textDocument": CANARY}}
    )
    await editor.ask(uri, line, character)

    logs = [path for path in own_engine.rglob("*") if path.is_file()]
    assert any(path.suffix == ".log" for path in logs)
    for path in logs:
        assert CANARY.encode() not in path.read_bytes(), path
    assert "pygls" in editor.log
    assert CANARY not in editor.log


async def test_the_process_stays_small_and_has_no_torch(editor: Editor) -> None:
    text, line, character = place(RECTANGLE)
    editor.show("file:///small.py", text)
    await editor.suggestion("file:///small.py", line, character)
    assert editor.process.memory_info().rss <= 150 * 2**20
    mapped = {Path(region.path).name for region in editor.process.memory_maps()}
    assert not [name for name in mapped if name.startswith(("libtorch", "_multiarray_umath"))]


def imported_by(statement: str) -> set[str]:
    """The modules that a fresh interpreter has after a statement."""
    code = f"import sys\n{statement}\nprint(*sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(found.stdout.split())


def test_before_initialize_only_what_it_needs_is_imported() -> None:
    imported = imported_by("from midfill.lsp.language_server import create_server; create_server()")
    assert "lsprotocol.types" in imported
    assert not imported & {"torch", "numpy", "httpx", "pydantic", "typer", "rich"}


def test_torch_is_never_imported() -> None:
    imported = imported_by(
        "from midfill.lsp.language_server import _import_engine_side; _import_engine_side()\n"
        "import midfill.lsp.engine_client, midfill.lsp.engine_process"
    )
    assert "httpx" in imported
    assert not imported & {"torch", "numpy", "transformers"}


async def test_a_disabled_server_starts_no_engine(
    own_engine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MIDFILL_RUNTIME_DIR", str(own_engine / "disabled"))
    editor = Editor()
    await editor.open_window(options={"enabled": False})
    editor.show("file:///disabled.py", "total = ")
    assert texts(await editor.ask("file:///disabled.py", 0, 8, INVOKED)) == []
    await editor.close_window()
    assert not (own_engine / "disabled").exists()
    assert editor.statuses == []


async def test_an_unlikely_fill_is_shown_only_on_demand(own_engine: Path) -> None:
    editor = Editor()
    await editor.open_window(options={"minimumConfidence": 1})
    await editor.ready()
    text, line, character = place(RECTANGLE)
    editor.show("file:///unlikely.py", text)
    assert texts(await editor.ask("file:///unlikely.py", line, character)) == []
    assert texts(await editor.ask("file:///unlikely.py", line, character, INVOKED))
    await editor.close_window()


async def test_wrong_settings_are_told_and_the_rest_works(own_engine: Path) -> None:
    editor = Editor()
    await editor.open_window(options={"model": 7, "colour": "red"})
    await editor.ready()
    told = [message.message for message in editor.messages]
    assert told == [
        "midfill.model must be the name of a model, such as 'embedded'.",
        "Midfill knows no setting called 'midfill.colour'.",
    ]
    await editor.close_window()


async def test_a_server_whose_editor_vanishes_ends(editor: Editor) -> None:
    other = Editor()
    await other.open_window()
    await other.ready()
    assert other._server is not None
    assert other._server.stdin is not None
    other._server.stdin.close()
    await asyncio.wait_for(other._server.wait(), 10)


async def test_the_editor_may_leave_while_the_engine_works(own_engine: Path) -> None:
    editor = Editor()
    await editor.open_window()
    await editor.ready()
    text, line, character = place(RECTANGLE)
    editor.show("file:///leaving.py", text)
    answer = editor.ask("file:///leaving.py", line, character, INVOKED)
    assert await editor.close_window() == 0
    with suppress(Exception):
        await asyncio.wait_for(answer, 1)
