"""A request's body comes in time and is not too large, or not at all."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from midfill.inference.errors import RequestTooLarge, RequestTooSlow
from midfill.inference.wire import MAX_BODY_BYTES

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

PIECE_SECONDS = 10.0
BODY_SECONDS = 30.0
"""Between two pieces of a body, and for all of it."""


class BodyGuard:
    """Limits what the app behind it receives.

    A body over the limit is read to its end all the same, up to four times the limit: a client that
    is still sending when the connection closes may never see the answer. Nothing of it is kept.

    Args:
        app: meets `RequestTooLarge` or `RequestTooSlow` where it reads the body.
        limit: bytes.
    """

    def __init__(
        self,
        app: ASGIApp,
        limit: int = MAX_BODY_BYTES,
        *,
        piece_seconds: float = PIECE_SECONDS,
        body_seconds: float = BODY_SECONDS,
    ) -> None:
        self._app = app
        self._limit = limit
        self._piece_seconds = piece_seconds
        self._body_seconds = body_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            receive = _Body(
                receive, self._limit, self._piece_seconds, time.monotonic() + self._body_seconds
            )
        await self._app(scope, receive, send)


class _Body:
    def __init__(self, receive: Receive, limit: int, piece_seconds: float, until: float) -> None:
        self._receive = receive
        self._limit = limit
        self._piece_seconds = piece_seconds
        self._until = until
        self._size = 0
        self._comes = True

    async def __call__(self) -> Message:
        if not self._comes:
            return await self._receive()  # waits for the client to leave, for as long as that takes
        message = await self._next()
        while self._size > self._limit:
            if not self._comes or self._size > 4 * self._limit:
                raise RequestTooLarge(
                    f"the request is larger than {self._limit / 2**20:g} MiB: "
                    "send less text around the hole"
                )
            message = await self._next()
        return message

    async def _next(self) -> Message:
        left = min(self._piece_seconds, self._until - time.monotonic())
        try:
            async with asyncio.timeout(max(left, 0.0)):
                message = await self._receive()
        except TimeoutError as error:
            raise RequestTooSlow("the request comes too slowly: send it again") from error
        self._size += len(message.get("body", b""))
        self._comes = message["type"] == "http.request" and message.get("more_body", False)
        return message
