"""JSON-RPC with a language server over its standard input and output.

As little as it takes, so that what is measured is the server's time and not a client library's.
"""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

WHOLE_MESSAGE = 2**26
"""Bytes."""


class ServerGone(Exception):
    """The server has ended, or does not answer; the message has its last words."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A server's answer.

    Attributes:
        result: None as well if it refused.
        at: when it was there, on the monotonic clock.
        refused: it answered with an error, as to a request that was cancelled.
    """

    result: Any
    at: float
    refused: bool


@dataclass(frozen=True, slots=True)
class Asked:
    """A request on its way.

    Attributes:
        at: when it was sent, on the monotonic clock.
    """

    id: int
    at: float
    reply: asyncio.Future[Reply] = field(compare=False)


class Connection:
    """One server process and the messages to and from it.

    Attributes:
        on_notification: hears of every notification, with its method and parameters.
    """

    def __init__(self, process: asyncio.subprocess.Process, log: Path) -> None:
        self._process = process
        self._log = log
        self._numbers = count(1)
        self._waiting: dict[int, asyncio.Future[Reply]] = {}
        self._reading = asyncio.create_task(self._read())
        self.on_notification: Callable[[str, Any], None] = lambda method, params: None

    @classmethod
    async def start(
        cls, command: Sequence[str], folder: Path, environment: Mapping[str, str]
    ) -> Connection:
        """Start a server in a folder, where its standard error is kept as well."""
        log = folder / "server.log"
        with log.open("wb") as stderr:
            process = await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=stderr,
                cwd=folder,
                env=dict(environment),
                limit=WHOLE_MESSAGE,
                start_new_session=True,  # Ctrl-C is for us
            )
        return cls(process, log)

    @property
    def pid(self) -> int:
        return self._process.pid

    def notify(self, method: str, params: object) -> None:
        self._send({"method": method, "params": params})

    def request(self, method: str, params: object) -> Asked:
        """Send a request, without waiting for its answer."""
        number = next(self._numbers)
        reply: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self._waiting[number] = reply
        asked = Asked(number, time.monotonic(), reply)
        self._send({"id": number, "method": method, "params": params})
        return asked

    async def result(self, method: str, params: object, within: float = 60.0) -> Any:  # noqa: ANN401
        """The result of a request.

        Raises:
            ServerGone: it is refused, or there is no answer.
        """
        try:
            reply = await asyncio.wait_for(self.request(method, params).reply, within)
        except TimeoutError:
            raise self._gone(f"{method} was not answered within {within:.0f} s") from None
        if reply.refused:
            raise self._gone(f"{method} was refused")
        return reply.result

    async def close(self) -> None:
        """Have the server end as an editor does."""
        try:
            if self._process.returncode is None:
                await self.result("shutdown", None, 20.0)
                self.notify("exit", None)
                await asyncio.wait_for(self._process.wait(), 10.0)
        finally:
            if self._process.returncode is None:
                self._process.kill()
                await self._process.wait()
            self._reading.cancel()

    def _send(self, message: dict[str, object]) -> None:
        body = json.dumps({"jsonrpc": "2.0"} | message).encode()
        assert self._process.stdin is not None
        self._process.stdin.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))

    async def _read(self) -> None:
        assert self._process.stdout is not None
        try:
            while True:
                header = await self._process.stdout.readuntil(b"\r\n\r\n")
                length = int(header.lower().split(b"content-length:")[1].split(b"\r\n")[0])
                body = await self._process.stdout.readexactly(length)
                self._take(json.loads(body), time.monotonic())
        except asyncio.IncompleteReadError:
            error = self._gone("the server ended")
            for reply in self._waiting.values():
                if not reply.done():
                    reply.set_exception(error)

    def _take(self, message: dict[str, Any], now: float) -> None:
        if "method" not in message:
            reply = self._waiting.pop(message["id"], None)
            if reply and not reply.done():
                reply.set_result(Reply(message.get("result"), now, "error" in message))
        elif "id" in message:
            self._send({"id": message["id"], "result": None})
        else:
            self.on_notification(message["method"], message.get("params"))

    def _gone(self, what: str) -> ServerGone:
        lines = self._log.read_text(errors="replace").splitlines()[-5:]
        return ServerGone("\n".join([what, *lines]))
