"""A language client that says what another client says: messages as JSON, one after the other."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

PROGRAM = str(Path(sys.executable).with_name("midfill"))

PATIENCE = 120
"""Seconds that a busy machine may take to load the model."""


class LanguageClient:
    """A client with a server of its own, started by a command.

    Attributes:
        uri: of the one document.
        text: what the document holds; lines end with a line feed.
        asked: the requests of the server, by method.
    """

    def __init__(self, command: Sequence[str], folder: Path) -> None:
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        self._folder, self._version, self._requests = folder, 0, 0
        self._answers: queue.Queue[dict[str, Any]] = queue.Queue()
        self.uri = self.text = ""
        self.asked: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def initialize(self, capabilities: object, **more: object) -> dict[str, Any]:
        """What the server offers a client with these capabilities."""
        folder = self._folder.as_uri()
        params = {
            "processId": os.getpid(),
            "rootUri": folder,
            "workspaceFolders": [{"uri": folder, "name": self._folder.name}],
            "capabilities": capabilities,
            **more,
        }
        offered = self.ask("initialize", params)["capabilities"]
        self.notify("initialized", {})
        return offered

    def open(self, name: str, language: str, text: str) -> None:
        self.uri, self.text = (self._folder / name).as_uri(), text
        item = {"uri": self.uri, "languageId": language, "version": 0, "text": text}
        self.notify("textDocument/didOpen", {"textDocument": item})

    def type(self, offset: int, text: str) -> None:
        """Insert text, character by character."""
        for place, character in enumerate(text, offset):
            where = self.position(place)
            self.text = self.text[:place] + character + self.text[place:]
            self._version += 1
            change = {"range": {"start": where, "end": where}, "text": character}
            document = {"uri": self.uri, "version": self._version}
            params = {"textDocument": document, "contentChanges": [change]}
            self.notify("textDocument/didChange", params)

    def ask_at(self, method: str, offset: int, context: object) -> Any:  # noqa: ANN401
        """The answer to what is asked at a place."""
        document = {"uri": self.uri}
        params = {"textDocument": document, "position": self.position(offset), "context": context}
        return self.ask(method, params)

    def items_at(self, method: str, offset: int, context: object) -> list[dict[str, Any]]:
        """The items of a list, which is asked for again until it has one."""
        end = time.monotonic() + PATIENCE
        while not (items := (self.ask_at(method, offset, context) or {}).get("items")):
            assert time.monotonic() < end, "nothing is suggested"
            time.sleep(0.05)
        return items

    def with_edit(self, edited: dict[str, Any], text: str) -> str:
        """The document with a range of it replaced."""
        start, end = (self._offset(edited[side]) for side in ("start", "end"))
        return self.text[:start] + text + self.text[end:]

    def position(self, offset: int) -> dict[str, int]:
        line = self.text[:offset].rpartition("\n")[2]
        return {
            "line": self.text.count("\n", 0, offset),
            "character": len(line.encode("utf-16-le")) // 2,
        }

    def _offset(self, position: dict[str, int]) -> int:
        lines = self.text.split("\n")[: position["line"] + 1]
        units = lines.pop().encode("utf-16-le")[: 2 * position["character"]]
        return sum(len(line) + 1 for line in lines) + len(units.decode("utf-16-le"))

    def close(self) -> tuple[int, str]:
        """End the server: its exit status and what it wrote to standard error."""
        self.ask("shutdown", None)
        self.notify("exit", None)
        assert self._process.stderr is not None
        complaints = self._process.stderr.read().decode()
        return self._process.wait(PATIENCE), complaints

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def ask(self, method: str, params: object) -> Any:  # noqa: ANN401
        """The result of a request."""
        self._requests += 1
        self._send({"id": self._requests, "method": method, "params": params})
        answer = self._answers.get(timeout=PATIENCE)
        assert answer["id"] == self._requests
        assert "error" not in answer, answer
        return answer["result"]

    def notify(self, method: str, params: object) -> None:
        self._send({"method": method, "params": params})

    def _send(self, message: dict[str, Any]) -> None:
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        assert self._process.stdin is not None
        self._process.stdin.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        self._process.stdin.flush()

    def _read(self) -> None:
        output = self._process.stdout
        assert output is not None
        while header := output.readline():
            length = int(header.removeprefix(b"Content-Length:"))
            while output.readline().strip():
                pass  # other headers
            message = json.loads(output.read(length))
            if "method" not in message:
                self._answers.put(message)
            elif "id" in message:
                self.asked.append(message["method"])
                self._send({"id": message["id"], "result": self._result(message)})

    def _result(self, request: dict[str, Any]) -> Any:  # noqa: ANN401
        """What a client without settings of the server's own answers."""
        if request["method"] == "workspace/configuration":
            return [None for _ in request["params"]["items"]]
        return None
