"""What must never be seen is not: the real server, a real engine service, and all that they say."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from editor import EVERYTHING, INVOKED, Editor
from lsprotocol import types
from pygls.exceptions import JsonRpcException
from wiretap import wiretap

from midfill.inference.transport import UnixAddress, engine_address

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

HERE = Path(__file__).parent
STEPPING_SERVER = HERE.parent / "unit" / "stepping_server.py"

SECRET = "m4rker_of_a_secret"
"""Stands in every document that is excluded, and may be found nowhere else."""

SOURCE = "m4rker_of_the_source"
"""Stands in documents that are not: it shows that what is sent would be found."""


@dataclass
class Window:
    """An editor with a folder open, and where to look for what was said and written."""

    editor: Editor
    folder: Path
    heard: bytearray
    written: Path

    def uri(self, name: str) -> str:
        return (self.folder / name).as_uri()

    async def excluded(self, uri: str) -> None:
        """Nothing is suggested there, neither by itself nor by hand nor after an edit."""
        for version, kind in enumerate((types.InlineCompletionTriggerKind.Automatic, INVOKED), 2):
            assert await self.texts(uri, kind) == []
            self.editor.type(uri, version, 0, 0, f"{SECRET} = ")
        assert await self.texts(uri) == []

    async def texts(
        self,
        uri: str,
        kind: types.InlineCompletionTriggerKind = INVOKED,
    ) -> list[str]:
        answer = await self.editor.ask(uri, 0, 99, kind)
        assert answer is not None
        return [str(item.insert_text) for item in answer.items]

    async def works(self) -> None:
        """A document that is not excluded gets its suggestions."""
        uri = self.uri("allowed.py")
        self.editor.show(uri, f"{SOURCE} = ")
        assert await self.texts(uri) == ["xxx"]

    def renamed(self, old: str, new: str) -> None:
        self.editor.workspace_did_rename_files(
            types.RenameFilesParams([types.FileRename(self.uri(old), self.uri(new))])
        )

    def watched_file_changed(self, name: str) -> None:
        self.editor.workspace_did_change_watched_files(
            types.DidChangeWatchedFilesParams(
                [types.FileEvent(self.uri(name), types.FileChangeType.Changed)]
            )
        )


@pytest.fixture
async def window(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Window]:
    """A window whose server's every word is kept; when it closes, no secret is among them."""
    top = Path(tempfile.mkdtemp(prefix="midfill-"))
    folder = top / "workspace"
    folder.mkdir()
    written = top / "written"
    for name in ("run", "state", "cache", "home", "tmp", "real"):
        (written / name).mkdir(parents=True, mode=0o700)
    monkeypatch.setenv("XDG_STATE_HOME", str(written / "state"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(written / "cache"))
    monkeypatch.setenv("MIDFILL_CACHE_DIR", str(written / "cache"))
    monkeypatch.setenv("HOME", str(written / "home"))
    monkeypatch.setenv("TMPDIR", str(written / "tmp"))
    monkeypatch.setenv("MIDFILL_RUNTIME_DIR", str(written / "real"))
    real = engine_address("embedded")
    log = written / "state" / "engine.log"
    engine = subprocess.Popen([sys.executable, str(STEPPING_SERVER), "embedded", "--log", str(log)])
    monkeypatch.setenv("MIDFILL_RUNTIME_DIR", str(written / "run"))
    tapped = engine_address("embedded")
    assert isinstance(real, UnixAddress)
    assert isinstance(tapped, UnixAddress)
    async with asyncio.timeout(20):
        while not real.path.exists():
            await asyncio.sleep(0.05)
    editor = Editor()
    try:
        async with wiretap(tapped.path, real.path) as heard:
            options = EVERYTHING | {"exclude": ["*.mine"]}
            loud = (str(HERE / "loud_server.py"),)
            await editor.open_window(options=options, command=loud, folder=folder)
            await editor.ready()
            window = Window(editor, folder, heard, written)
            await window.works()
            yield window
            await window.works()
            assert await editor.close_window() == 0
            assert SOURCE.encode() in heard
            assert SECRET.encode() not in heard
            assert "DEBUG" in editor.log
            assert SECRET not in editor.log
            assert SOURCE not in editor.log
            for path in written.rglob("*"):
                if path.is_file():
                    assert SECRET.encode() not in path.read_bytes(), path
    finally:
        engine.terminate()
        engine.wait(10)
        shutil.rmtree(top)


async def test_what_a_name_excludes_is_never_seen(window: Window) -> None:
    for name in (
        ".env",
        "config/.ENV.Production",
        "server.key",
        "deep/.ssh/config",
        "own.mine",
        "id_rsa.py",
    ):
        window.editor.show(window.uri(name), f"{SECRET} = ")
        await window.excluded(window.uri(name))


async def test_documents_without_a_file_are_excluded_by_their_paths(window: Window) -> None:
    for uri in (
        "untitled:.env",
        "untitled:/somewhere/secrets.yaml",
        "vscode-remote://ssh-remote+host/home/me/.netrc",
        "file:///somewhere/%2Eenv",
        "git:/somewhere/.env?%7B%22ref%22%3A%22HEAD%22%7D",
    ):
        window.editor.show(uri, f"{SECRET} = ")
        await window.excluded(uri)


async def test_what_ignore_files_name_is_never_seen(window: Window) -> None:
    (window.folder / ".gitignore").write_text("generated.py\n")
    (window.folder / ".midfillignore").write_text("private/\n!.env\n")
    (window.folder / "deep").mkdir()
    (window.folder / "deep" / ".midfillignore").write_text("/mine.py\n")
    for name in ("generated.py", "private/a/b.py", "deep/mine.py", ".env"):
        window.editor.show(window.uri(name), f"{SECRET} = ")
        await window.excluded(window.uri(name))
    window.editor.show(window.uri("mine.py"), f"{SOURCE} = ")
    assert await window.texts(window.uri("mine.py")) == ["xxx"]


async def test_links_with_innocent_names_are_seen_through(window: Window) -> None:
    (window.folder / ".midfillignore").write_text("private/\n")
    (window.folder / "private").mkdir()
    (window.folder / "private" / "a.py").write_text(SECRET)
    (window.folder / ".env").write_text(SECRET)
    (window.folder / "innocent.py").symlink_to(".env")
    (window.folder / "public").symlink_to("private")
    (window.folder / "loop.py").symlink_to("loop.py")
    for name in ("innocent.py", "public/a.py", "loop.py"):
        window.editor.show(window.uri(name), f"{SECRET} = ")
        await window.excluded(window.uri(name))


@pytest.mark.parametrize("told", ["watched", "saved", "not at all"])
async def test_a_document_that_becomes_excluded_is_let_go(window: Window, told: str) -> None:
    uri = window.uri("later.py")
    window.editor.show(uri, f"{SOURCE} = ")
    assert await window.texts(uri) == ["xxx"]
    (window.folder / ".midfillignore").write_text("later.py\n")
    if told == "watched":
        [registration] = window.editor.registered
        assert registration.method == "workspace/didChangeWatchedFiles"
        window.watched_file_changed(".midfillignore")
    if told == "saved":
        window.editor.text_document_did_save(
            types.DidSaveTextDocumentParams(
                types.TextDocumentIdentifier(window.uri(".midfillignore"))
            )
        )
    window.editor.type(uri, 2, 0, 0, f"{SECRET} = ")
    await window.excluded(uri)
    assert "later.py is excluded: line 1 of" in window.editor.log
    async with asyncio.timeout(5):
        while b"/v1/forget" not in window.heard:
            await asyncio.sleep(0.02)


async def test_a_document_that_is_allowed_again_has_to_be_opened_again(window: Window) -> None:
    (window.folder / ".midfillignore").write_text("later.py\n")
    uri = window.uri("later.py")
    window.editor.show(uri, f"{SECRET} = ")
    await window.excluded(uri)
    (window.folder / ".midfillignore").unlink()
    window.watched_file_changed(".midfillignore")
    assert await window.texts(uri) == []
    assert "close it and open it again" in window.editor.log
    window.editor.text_document_did_close(
        types.DidCloseTextDocumentParams(types.TextDocumentIdentifier(uri))
    )
    window.editor.show(uri, f"{SOURCE} = ")
    assert await window.texts(uri) == ["xxx"]


async def test_a_rename_to_an_excluded_name_lets_go(window: Window) -> None:
    (window.folder / ".midfillignore").write_text("private/\n")
    for old, new in (("draft.py", ".env.local"), ("drafts/a.py", "private/a.py")):
        window.editor.show(window.uri(old), f"{SOURCE} = ")
        assert await window.texts(window.uri(old)) == ["xxx"]
        if "/" in old:
            window.renamed(str(Path(old).parent), str(Path(new).parent))
        else:
            window.renamed(old, new)
        # The editor has not closed the old name yet, and goes on typing into it.
        await window.excluded(window.uri(old))
        window.editor.text_document_did_close(
            types.DidCloseTextDocumentParams(types.TextDocumentIdentifier(window.uri(old)))
        )
        window.editor.show(window.uri(new), f"{SECRET} = ")
        await window.excluded(window.uri(new))


async def test_excluded_notebooks_are_never_seen(window: Window) -> None:
    (window.folder / ".midfillignore").write_text("*.ipynb\n")
    notebook, cell = window.uri("a.ipynb"), "notebook-cell:cell-1"
    window.editor.notebook_document_did_open(
        types.DidOpenNotebookDocumentParams(
            types.NotebookDocument(
                notebook,
                "jupyter-notebook",
                1,
                [types.NotebookCell(types.NotebookCellKind.Code, cell)],
            ),
            [types.TextDocumentItem(cell, "python", 1, f"{SECRET} = ")],
        )
    )
    await window.excluded(cell)
    change = types.NotebookDocumentCellChanges(
        text_content=[
            types.NotebookDocumentCellContentChanges(
                types.VersionedTextDocumentIdentifier(2, cell),
                [types.TextDocumentContentChangeWholeDocument(SECRET)],
            )
        ]
    )
    window.editor.notebook_document_did_change(
        types.DidChangeNotebookDocumentParams(
            types.VersionedNotebookDocumentIdentifier(2, notebook),
            types.NotebookDocumentChangeEvent(cells=change),
        )
    )
    await window.excluded(cell)


async def test_other_messages_about_excluded_documents_leave_no_trace(window: Window) -> None:
    editor, uri = window.editor, window.uri(".env")
    editor.show(uri, f"{SECRET} = ")
    identifier = types.TextDocumentIdentifier(uri)
    editor.text_document_did_save(types.DidSaveTextDocumentParams(identifier, SECRET))
    with pytest.raises(JsonRpcException):
        await editor.workspace_execute_command_async(
            types.ExecuteCommandParams("midfill.noSuchCommand", [uri, SECRET])
        )
    sentence = await editor.run_command("midfill.explain", uri, SECRET)
    assert sentence.startswith("This file is excluded: ")
    assert await editor.run_command("midfill.fillHoles", uri) is None
    editor.protocol._send_data(
        {
            "jsonrpc": "2.0",
            "method": "textDocument/didChange",
            "params": {"textDocument": {"uri": uri, "version": SECRET}, "contentChanges": SECRET},
        }
    )
    editor.protocol.notify("midfill/noSuchNotification", {"text": SECRET})
    # Next to it, another document is worked at: what is open is not what may be read.
    await window.works()
    await window.excluded(uri)


async def test_a_broken_ignore_file_is_named_and_what_it_excludes_holds(window: Window) -> None:
    (window.folder / ".midfillignore").write_bytes(b"private.py\nbroken\\\n\xff\xfe.py\n")
    for name in ("private.py", "private.py"):
        window.editor.show(window.uri(name), f"{SECRET} = ")
        await window.excluded(window.uri(name))
    [message] = window.editor.messages
    assert message.type == types.MessageType.Warning
    assert str(window.folder / ".midfillignore") in message.message


@pytest.mark.parametrize("option", ["--json", "--watch"])
def test_the_command_line_refuses_what_is_excluded(tmp_path: Path, option: str) -> None:
    (tmp_path / ".midfillignore").write_text("private/\n")
    (tmp_path / "private").mkdir()
    for name in (".env", "private/a.py"):
        (tmp_path / name).write_text(f"{SECRET} = ")
    (tmp_path / "link.py").symlink_to(".env")
    for name in (".env", "private/a.py", "link.py"):
        done = subprocess.run(
            [sys.executable, "-m", "midfill.lsp", "fill", f"{name}:1:1", option],
            cwd=tmp_path,
            env=os.environ | {"MIDFILL_RUNTIME_DIR": str(tmp_path / "run")},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 1
        assert done.stdout == ""
        [line] = done.stderr.splitlines()
        assert line.startswith(f"midfill: {name} is excluded (")
        assert "--even-if-excluded" in line
        assert SECRET not in line


def test_the_command_line_reads_what_is_excluded_if_told_to(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("a = 1")
    done = subprocess.run(
        [sys.executable, "-m", "midfill.lsp", "fill", ".env:9:1", "--even-if-excluded"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    # It was read: its lines are known.
    assert "the last one is 1" in done.stderr
