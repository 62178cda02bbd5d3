"""An editor for tests: it starts the real server process and speaks the protocol with it."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from concurrent.futures import Future
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import psutil
from lsprotocol import types
from pygls.lsp.client import LanguageClient as PlainClient
from pygls.protocol import default_converter
from pytest_lsp import LanguageClient
from pytest_lsp.client import DEFAULT_CLIENT_FEATURES, register_lsp_features

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from midfill.inference.wire import Health

INLINE_COMPLETION = types.TEXT_DOCUMENT_INLINE_COMPLETION
INVOKED = types.InlineCompletionTriggerKind.Invoked
AUTOMATIC = types.InlineCompletionTriggerKind.Automatic

EVERYTHING = {"minimumConfidence": 0}
"""Settings with which every fill is shown: whether it is worth showing has a test of its own."""

SERVER = ("-m", "midfill.lsp", "lsp")

LOADING_SECONDS = 120
"""A model that is not pulled yet takes longer; the fixtures pull it."""

TRIES = 30
BETWEEN_TRIES = 1.0
"""How often, and after how many seconds, somebody asks again who got nothing."""


class Editor(LanguageClient):
    """One editor window with its own server process.

    Attributes:
        statuses: every ``midfill/status`` so far, oldest first.
        edits: what the server asked to have applied; nothing is.
        configuration: what it answers when asked for settings: ``midfill`` settings by scope, as
            ``""`` or a folder's URI; ``late`` or ``nonsense``; None if it cannot be
            asked.
        registered: what the server asked to be told of.
        stderr: what the server wrote to standard error.
    """

    def __init__(self) -> None:
        super().__init__(converter_factory=default_converter)
        others = {**DEFAULT_CLIENT_FEATURES}
        others.pop(types.WORKSPACE_CONFIGURATION)
        register_lsp_features(self, others)
        self.configuration: Any = None

        async def on_configuration(params: types.ConfigurationParams) -> list[Any]:
            return await self._on_configuration(params)

        self.feature(types.WORKSPACE_CONFIGURATION)(on_configuration)
        self.statuses: list[Any] = []
        self.stderr = bytearray()
        self._told = asyncio.Event()
        self.registered: list[types.Registration] = []
        self.feature("midfill/status")(lambda params: self._on_status(params))
        self.edits: list[types.WorkspaceEdit] = []
        self.takes_edits = True
        self.feature(types.WORKSPACE_APPLY_EDIT)(lambda params: self._on_edit(params))
        self.feature(types.CLIENT_REGISTER_CAPABILITY)(
            lambda params: self.registered.extend(params.registrations)
        )

    async def open_window(
        self,
        *,
        encodings: list[str] | None = None,
        progress: bool = True,
        options: object = EVERYTHING,
        command: Sequence[str] = SERVER,
        folder: Path | None = None,
        able: types.ClientCapabilities | None = None,
    ) -> types.InitializeResult:
        """Start the server and initialize it.

        Args:
            able: what the editor says it can, if something else than usual.
        """
        await PlainClient.start_io(self, sys.executable, *command)
        assert self._server is not None
        self._stderr_forwarder = asyncio.create_task(self._collect_stderr())
        kinds = [types.PositionEncodingKind(encoding) for encoding in encodings or ["utf-16"]]
        capabilities = types.ClientCapabilities(
            text_document=types.TextDocumentClientCapabilities(
                inline_completion=types.InlineCompletionClientCapabilities()
            ),
            window=types.WindowClientCapabilities(work_done_progress=progress),
            workspace=types.WorkspaceClientCapabilities(
                configuration=self.configuration is not None,
                did_change_watched_files=types.DidChangeWatchedFilesClientCapabilities(
                    dynamic_registration=True
                ),
                workspace_edit=types.WorkspaceEditClientCapabilities(
                    document_changes=True,
                    change_annotation_support=types.ChangeAnnotationsSupportOptions(),
                ),
                file_operations=types.FileOperationClientCapabilities(did_rename=True),
            ),
            general=types.GeneralClientCapabilities(position_encodings=kinds),
        )
        return await self.initialize_session(
            types.InitializeParams(
                able or capabilities,
                initialization_options=options,
                workspace_folders=[
                    types.WorkspaceFolder(at.as_uri(), at.name) for at in (folder,) if at
                ],
            )
        )

    async def close_window(self) -> int:
        """Shut the server down as an editor does; its exit status."""
        assert self._server is not None
        async with asyncio.timeout(10):
            await self.shutdown_async(None)
            self.exit(None)
            status = await self._server.wait()
            with suppress(asyncio.CancelledError):
                await self._stderr_forwarder
        await self.stop()
        return status

    @property
    def shown(self) -> list[str]:
        """The messages that popped up so far."""
        return [message.message for message in self.messages]

    @property
    def process(self) -> psutil.Process:
        assert self._server is not None
        return psutil.Process(self._server.pid)

    @property
    def log(self) -> str:
        return self.stderr.decode()

    async def ready(self) -> None:
        """Wait until the engine is."""
        await self.status(lambda status: status.state == "ready")

    async def status(self, wanted: Callable[[Any], bool]) -> Any:  # noqa: ANN401
        """Wait until the newest status is as wanted."""
        async with asyncio.timeout(LOADING_SECONDS):
            while not (self.statuses and wanted(self.statuses[-1])):
                self._told.clear()
                await self._told.wait()
        return self.statuses[-1]

    def show(self, uri: str, text: str) -> None:
        """Open a document."""
        self.text_document_did_open(
            types.DidOpenTextDocumentParams(types.TextDocumentItem(uri, "python", 1, text))
        )

    def type(self, uri: str, version: int, line: int, character: int, text: str) -> None:
        """Insert text."""
        where = types.Position(line, character)
        self.text_document_did_change(
            types.DidChangeTextDocumentParams(
                types.VersionedTextDocumentIdentifier(version, uri),
                [types.TextDocumentContentChangePartial(types.Range(where, where), text)],
            )
        )

    def ask(
        self,
        uri: str,
        line: int,
        character: int,
        kind: types.InlineCompletionTriggerKind = AUTOMATIC,
        request: str | None = None,
        popup: types.SelectedCompletionInfo | None = None,
    ) -> asyncio.Future[types.InlineCompletionList | None]:
        """Ask for a suggestion, without waiting for it."""
        params = types.InlineCompletionParams(
            types.InlineCompletionContext(kind, popup),
            types.TextDocumentIdentifier(uri),
            types.Position(line, character),
        )
        answer: Future[types.InlineCompletionList | None] = self.protocol.send_request(
            INLINE_COMPLETION, params, msg_id=request
        )
        return asyncio.wrap_future(answer)

    async def suggestion(self, uri: str, line: int, character: int) -> types.InlineCompletionItem:
        """The one suggestion there.

        An overloaded machine may pass the deadline with nothing; what it has read by then it keeps.
        A full queue names a time before which nothing is asked.
        """
        reasons: list[str] = []
        while len(reasons) < TRIES:
            answer = await self.ask(uri, line, character)
            assert answer is not None
            if answer.items:
                [item] = answer.items
                return item
            reasons.append(await self.run_command("midfill.explain", uri))
            await asyncio.sleep(BETWEEN_TRIES)
        raise AssertionError(reasons)

    def malformed_request(self) -> asyncio.Future[Any]:
        """Ask for a suggestion at a position that is none."""
        answer: Future[Any] = Future()
        self.protocol._request_futures["malformed"] = answer
        params = {"textDocument": {"uri": "file:///a.py"}, "position": {"line": "first"}}
        message = {"jsonrpc": "2.0", "id": "malformed", "method": INLINE_COMPLETION}
        self.send(json.dumps(message | {"params": params}).encode())
        return asyncio.wrap_future(answer)

    def send(self, body: bytes) -> None:
        """Send any bytes as the body of a message."""
        assert self.protocol.writer is not None
        self.protocol.writer.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))

    def _on_status(self, params: Any) -> None:  # noqa: ANN401
        self.statuses.append(params)
        self._told.set()

    async def _on_configuration(self, params: types.ConfigurationParams) -> list[Any]:
        if self.configuration == "late":
            await asyncio.sleep(3)
            return [{}]
        if self.configuration == "nonsense":
            return [3]
        return [self.configuration.get(item.scope_uri or "") for item in params.items]

    def _on_edit(self, params: types.ApplyWorkspaceEditParams) -> types.ApplyWorkspaceEditResult:
        self.edits.append(params.edit)
        return types.ApplyWorkspaceEditResult(self.takes_edits)

    async def run_command(self, command: str, *arguments: Any) -> Any:  # noqa: ANN401
        """Run one of the server's commands, as a palette or a key does."""
        params = types.ExecuteCommandParams(command, list(arguments))
        return await self.workspace_execute_command_async(params)

    async def _collect_stderr(self) -> None:
        assert self._server is not None
        assert self._server.stderr is not None
        while piece := await self._server.stderr.read(65536):
            self.stderr += piece


def end(engine: Health) -> None:
    """End an engine at once, as a crash does."""
    process = psutil.Process(engine.pid)
    with suppress(psutil.NoSuchProcess):
        process.send_signal(signal.SIGKILL)
        process.wait(10)
