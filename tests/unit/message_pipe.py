"""Both directions of a connection to a language server in the same process, byte for byte."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

Message = dict[str, Any]


class Incoming:
    """What a server reads, message after message.

    Attributes:
        sent: so many messages have been put in,
        handled: and so many of them are handled, as far as the server does that at once.
    """

    def __init__(self, turns_to_read: int) -> None:
        """
        Args:
            turns_to_read: that other work gets whenever something is read, as with a real pipe,
                which is read in a thread.
        """
        self._turns_to_read = turns_to_read
        self._bodies: deque[bytes] = deque()
        self._lines: deque[bytes] = deque()
        self._more = asyncio.Event()
        self._taken = 0
        self._over = False
        self.sent = 0
        self.handled = 0

    def send(self, message: Message) -> None:
        self._bodies.append(json.dumps(message | {"jsonrpc": "2.0"}).encode())
        self.sent += 1
        self._more.set()

    def end(self) -> None:
        self._over = True
        self._more.set()

    async def readline(self) -> bytes:
        self.handled = self._taken
        await self._breathe()
        if self._lines:
            return self._lines.popleft()
        while not self._bodies:
            if self._over:
                return b""
            self._more.clear()
            await self._more.wait()
        self._lines.append(b"\r\n")
        return b"Content-Length: %d\r\n" % len(self._bodies[0])

    async def readexactly(self, size: int) -> bytes:
        await self._breathe()
        body = self._bodies.popleft()
        assert len(body) == size
        self._taken += 1
        return body

    async def _breathe(self) -> None:
        for _ in range(self._turns_to_read):
            await asyncio.sleep(0)


class Outgoing:
    """What a server writes, a message at a time."""

    def __init__(self, hear: Callable[[Message], None]) -> None:
        self._hear = hear

    def write(self, data: bytes) -> None:
        head, _, body = data.partition(b"\r\n\r\n")
        assert f"Content-Length: {len(body)}" in head.decode().split("\r\n")
        self._hear(json.loads(body))

    def close(self) -> None:
        """There is nothing to close."""
