"""Whatever a client sends, the server stays, logs nobody's text, and goes on working."""

from __future__ import annotations

import asyncio
import json
import sys
from concurrent.futures import Future
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from editor import EVERYTHING, INLINE_COMPLETION, INVOKED, SERVER, Editor
from lsprotocol import types
from pygls.exceptions import JsonRpcException
from pygls.lsp.client import LanguageClient as PlainClient

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

CANARY = "c4n4ry_in_the_source"
GOOD = "def add(first, second):\n    return first +"
MEGABYTE = 2**20

NO_MESSAGES = (
    b"",
    b"null",
    b"[]",
    b"[" * 2000,
    b'"text"',
    b"{",
    b"\xff\xfe\x00",
    b'{"jsonrpc": "2.0"}',
    b'{"jsonrpc": "2.0", "id": {}, "method": 3}',
    b'{"jsonrpc": "2.0", "method": "textDocument/didChange", "params": null}',
    b'{"jsonrpc": "2.0", "id": "gone", "result": 3}',
    b'[{"jsonrpc": "2.0", "id": 9, "method": "shutdown"}]',
    b'{"jsonrpc": "2.0", "method": "$/cancelRequest", "params": {"id": "unknown"}}',
)


@pytest.fixture
async def sturdy(editor: Editor) -> AsyncIterator[Editor]:
    """An editor whose server works when the test is done, and has logged nothing of its text."""
    yield editor
    assert await fills(editor, "file:///good.py")
    assert CANARY not in editor.log
    assert "Traceback" not in editor.log


async def fills(editor: Editor, uri: str) -> bool:
    editor.show(uri, GOOD)
    item = await editor.suggestion(uri, 1, 18)
    return "second" in str(item.insert_text)


async def texts(editor: Editor, uri: str, line: int, character: int) -> list[str]:
    async with asyncio.timeout(60):
        answer = await editor.ask(uri, line, character)
    assert answer is not None
    return [str(item.insert_text) for item in answer.items]


def change(editor: Editor, uri: str, version: int, where: types.Range, text: str) -> None:
    editor.text_document_did_change(
        types.DidChangeTextDocumentParams(
            types.VersionedTextDocumentIdentifier(version, uri),
            [types.TextDocumentContentChangePartial(where, text)],
        )
    )


def span(*numbers: int) -> types.Range:
    first, from_, last, to = numbers
    return types.Range(types.Position(first, from_), types.Position(last, to))


async def test_ranges_that_are_none_move_to_where_they_make_sense(sturdy: Editor) -> None:
    far = 2**31 - 1
    ranges = [(1, 9, 0, 3), (77, 0, 99, 9), (0, 999, 0, 999), (0, 0, far, far)]
    for number, where in enumerate(ranges):
        uri = f"file:///ranges{number}.py"
        sturdy.show(uri, f"{CANARY} = 1\nother = 2\n")
        change(sturdy, uri, 2, span(*where), "\n\nvalue = (1 +")
        await texts(sturdy, uri, far, far)


async def test_positions_that_are_none_are_answered(sturdy: Editor) -> None:
    sturdy.show("file:///numbers.py", f"{CANARY} = \n")
    for number, character in enumerate([-1, 2**31, 10**30, 1.5, "first", None, {}]):
        answer: Future[object] = Future()
        sturdy.protocol._request_futures[f"number {number}"] = answer
        params = {
            "textDocument": {"uri": "file:///numbers.py"},
            "position": {"line": 0, "character": character},
            "context": {"triggerKind": 1},
        }
        head = {"jsonrpc": "2.0", "id": f"number {number}", "method": INLINE_COMPLETION}
        sturdy.send(json.dumps(head | {"params": params}).encode())
        with suppress(JsonRpcException):
            await asyncio.wait_for(asyncio.wrap_future(answer), 60)


async def test_a_version_that_goes_backwards_is_the_version_now(sturdy: Editor) -> None:
    sturdy.show("file:///versions.py", "value = \n")
    sturdy.type("file:///versions.py", 7, 0, 8, "(1")
    sturdy.type("file:///versions.py", 3, 0, 10, " +")
    assert await sturdy.suggestion("file:///versions.py", 0, 12)


async def test_a_document_that_is_opened_twice_has_its_second_text(sturdy: Editor) -> None:
    sturdy.show("file:///twice.py", f"{CANARY} = \n")
    sturdy.show("file:///twice.py", GOOD)
    item = await sturdy.suggestion("file:///twice.py", 1, 18)
    assert "second" in str(item.insert_text)


async def test_documents_never_opened_are_changed_and_closed_without_harm(sturdy: Editor) -> None:
    sturdy.type("file:///never.py", 2, 0, 0, CANARY)
    never = types.TextDocumentIdentifier("file:///never.py")
    sturdy.text_document_did_close(types.DidCloseTextDocumentParams(never))
    sturdy.text_document_did_close(types.DidCloseTextDocumentParams(never))
    assert await texts(sturdy, "file:///never.py", 0, 0) == []


async def test_names_that_are_none_are_names(sturdy: Editor) -> None:
    for uri in ("", "no uri at all", "file://", "x:" + "y" * 5000, "file:///a\x00b"):
        sturdy.show(uri, f"{CANARY} = ")
        await texts(sturdy, uri, 0, 99)


async def test_messages_that_are_none_are_passed_over(editor: Editor) -> None:
    for body in NO_MESSAGES:
        editor.send(body)
        editor.send(body.replace(b'"2.0"', b'"2.0", "note": "' + CANARY.encode() + b'"'))
    assert await fills(editor, "file:///good.py")
    assert CANARY not in editor.log


async def test_headers_that_are_none_are_passed_over(sturdy: Editor) -> None:
    assert sturdy.protocol.writer is not None
    for header in (b"\r\n", b"Content-Type: text\r\n\r\n", b"nonsense\r\n\r\n"):
        sturdy.protocol.writer.write(header)


async def test_a_hundred_documents_are_open(sturdy: Editor) -> None:
    uris = [f"file:///many/{number}.py" for number in range(100)]
    for uri in uris:
        sturdy.show(uri, GOOD)
    answers = [sturdy.ask(uri, 1, 18) for uri in uris]
    async with asyncio.timeout(60):
        done = await asyncio.gather(*answers)
    assert any(answer and answer.items for answer in done)
    for uri in uris:
        closed = types.TextDocumentIdentifier(uri)
        sturdy.text_document_did_close(types.DidCloseTextDocumentParams(closed))


async def test_a_line_of_five_megabytes(sturdy: Editor) -> None:
    line = f"{CANARY} = [" + "'abcdefghijklmno', " * (5 * MEGABYTE // 19)
    before = sturdy.process.memory_info().rss
    sturdy.show("file:///long.py", line)
    for version in range(2, 12):
        sturdy.type("file:///long.py", version, 0, len(line), "1")
        line += "1"
    await texts(sturdy, "file:///long.py", 0, len(line))
    await texts(sturdy, "file:///long.py", 0, len(line) // 2)
    assert sturdy.process.memory_info().rss - before < 200 * MEGABYTE


async def test_a_binary_file_is_only_a_strange_text(sturdy: Editor) -> None:
    binary = "".join(map(chr, range(256))) * 64
    sturdy.show("file:///a.bin", binary)
    await texts(sturdy, "file:///a.bin", 5, 3)


async def test_a_client_that_can_do_nothing_is_served(own_engine: Path) -> None:
    editor = Editor()
    await PlainClient.start_io(editor, sys.executable, *SERVER)
    assert editor._server is not None
    editor._stderr_forwarder = asyncio.create_task(editor._collect_stderr())
    await editor.initialize_session(
        types.InitializeParams(types.ClientCapabilities(), initialization_options=EVERYTHING)
    )
    await editor.ready()
    assert await fills(editor, "file:///good.py")
    assert await editor.run_command("midfill.explain")
    assert await editor.close_window() == 0


@pytest.mark.parametrize("options", [3, {"mode": [], "languages": 1, "x": {"y": 1}}])
async def test_settings_that_are_none_leave_the_defaults(
    own_engine: Path, new_editor: Editor, options: object
) -> None:
    await new_editor.open_window(options=options)
    await new_editor.ready()
    new_editor.show("file:///good.py", GOOD)
    assert await new_editor.ask("file:///good.py", 1, 18, INVOKED)
    assert new_editor.shown
