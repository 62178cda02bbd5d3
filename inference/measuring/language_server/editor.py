"""An editor window with the real language server behind it."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Any

from midfill.inference.measuring.language_server.connection import Connection, ServerGone

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from midfill.inference.measuring.language_server.connection import Asked, Reply
    from midfill.inference.measuring.language_server.document import Document

SERVER = (sys.executable, "-P", "-m", "midfill.lsp", "lsp")
AUTOMATIC = 2
"""The trigger kind of a suggestion that nobody asked for by hand."""

READY_WITHIN = 300.0
"""Seconds; a model that is not pulled yet is pulled at the first start."""


ANSWERED_WITHIN = 60.0


async def answered(asked: Asked) -> Reply:
    """The answer to a request that nothing overtakes.

    Raises:
        ServerGone: there is none.
    """
    try:
        return await asyncio.wait_for(asked.reply, ANSWERED_WITHIN)
    except TimeoutError:
        raise ServerGone(f"no answer within {ANSWERED_WITHIN:.0f} s") from None


class Editor:
    """Opens documents, sends edits and asks for suggestions; shows nothing itself."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._status: Any = None
        self._told = asyncio.Event()
        connection.on_notification = self._hear

    @classmethod
    async def start(
        cls,
        scratch: Path,
        environment: Mapping[str, str],
        settings: Mapping[str, object],
        workspace: str | None = None,
    ) -> Editor:
        """Start the server and initialize it.

        Args:
            scratch: the server's own folder.
            settings: initialization options.
            workspace: a folder's URI.
        """
        editor = cls(await Connection.start(SERVER, scratch, environment))
        folders = [{"uri": workspace, "name": "replay"}] if workspace else None
        capabilities = {
            "textDocument": {"inlineCompletion": {}},
            "general": {"positionEncodings": ["utf-16"]},
        }
        await editor._connection.result(
            "initialize",
            {
                "processId": None,
                "rootUri": workspace,
                "capabilities": capabilities,
                "initializationOptions": dict(settings),
                "workspaceFolders": folders,
            },
        )
        editor._connection.notify("initialized", {})
        return editor

    async def ready(self) -> None:
        """Wait for the engine.

        Raises:
            ServerGone: it failed, or takes too long.
        """
        try:
            await asyncio.wait_for(self._wait_for_engine(), READY_WITHIN)
        except TimeoutError:
            raise ServerGone(f"no engine was ready within {READY_WITHIN:.0f} s") from None

    def open(self, document: Document) -> None:
        item = {
            "uri": document.uri,
            "languageId": document.language,
            "version": document.version,
            "text": document.text,
        }
        self._connection.notify("textDocument/didOpen", {"textDocument": item})

    def close(self, document: Document) -> None:
        identifier = {"uri": document.uri}
        self._connection.notify("textDocument/didClose", {"textDocument": identifier})

    def edit(self, document: Document, start: int, end: int, text: str) -> None:
        self._connection.notify("textDocument/didChange", document.replace(start, end, text))

    def ask(self, document: Document, offset: int) -> Asked:
        """Ask for a suggestion, as editors do after every key."""
        return self.ask_about(document.uri, document.position(offset))

    def ask_about(self, uri: str, position: Mapping[str, int]) -> Asked:
        return self._connection.request(
            "textDocument/inlineCompletion",
            {
                "textDocument": {"uri": uri},
                "position": position,
                "context": {"triggerKind": AUTOMATIC},
            },
        )

    def cancel(self, asked: Asked) -> None:
        self._connection.notify("$/cancelRequest", {"id": asked.id})

    def run(self, command: Mapping[str, Any]) -> None:
        """Run the command that came with a suggestion."""
        arguments = command.get("arguments") or []
        self._connection.request(
            "workspace/executeCommand", {"command": command["command"], "arguments": arguments}
        )

    async def leave(self) -> None:
        await self._connection.close()

    async def _wait_for_engine(self) -> None:
        while True:
            status = self._status or {}
            if status.get("state") == "ready":
                return
            if status.get("state") == "failed":
                raise ServerGone(f"the engine failed: {status.get('detail')}")
            self._told.clear()
            await self._told.wait()

    def _hear(self, method: str, params: Any) -> None:  # noqa: ANN401
        if method == "midfill/status":
            self._status = params
            self._told.set()
