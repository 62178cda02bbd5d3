"""A request on its way from a door to a replica, and the replica's answer to it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from midfill.inference.service.callers import CALLER

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from starlette.types import ASGIApp, Message, Scope

PASSED_ON = frozenset({b"content-type", b"accept", b"user-agent"})
"""Headers that mean something to a replica; tokens are none of its business."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One HTTP request that has been let through.

    Attributes:
        method: such as ``POST``.
        path: such as ``/v1/infill``.
        query: without the question mark.
        headers: those of `PASSED_ON`.
        body: all of it.
        caller: the name that its token stands for.
    """

    method: str
    path: str
    query: bytes = b""
    headers: tuple[tuple[bytes, bytes], ...] = ()
    body: bytes = b""
    caller: str = ""

    @classmethod
    def of(cls, scope: Scope, body: bytes) -> Asked:
        """What an ASGI scope and a body say."""
        headers = tuple((name, value) for name, value in scope["headers"] if name in PASSED_ON)
        return cls(
            scope["method"],
            scope["path"],
            scope["query_string"],
            headers,
            body,
            str(scope.get(CALLER, "")),
        )

    def scope(self) -> Scope:
        """The ASGI scope under which an app answers it."""
        return {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.4"},
            "http_version": "1.1",
            "scheme": "http",
            "method": self.method,
            "path": self.path,
            "raw_path": self.path.encode(),
            "root_path": "",
            "query_string": self.query,
            "headers": list(self.headers),
            "client": None,
            "server": None,
            CALLER: self.caller,
        }


async def answer(app: ASGIApp, asked: Asked) -> AsyncGenerator[Message]:
    """The messages that an app answers with, as it sends them.

    When the iterator is closed the app is cancelled, as a server does when the client has left.
    """
    messages: asyncio.Queue[Message] = asyncio.Queue(maxsize=1)
    unread: list[Message] = [{"type": "http.request", "body": asked.body, "more_body": False}]

    async def receive() -> Message:
        if not unread:
            await asyncio.Event().wait()  # nobody leaves: the answer is cancelled instead
        return unread.pop()

    async def run() -> None:
        await app(asked.scope(), receive, messages.put)

    running = asyncio.create_task(run())
    try:
        while message := await _next(messages, running):
            yield message
        await running
    finally:
        running.cancel()
        await asyncio.wait({running})


async def _next(messages: asyncio.Queue[Message], running: asyncio.Task[None]) -> Message | None:
    """The next message; None when the app has ended and all of them have been taken."""
    getting = asyncio.ensure_future(messages.get())
    try:
        await asyncio.wait({getting, running}, return_when=asyncio.FIRST_COMPLETED)
        return getting.result() if getting.done() else None
    finally:
        getting.cancel()
