"""What a server says that has as many connections as it answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from midfill.inference.errors import EngineBusy
from midfill.inference.service.refusing import refusal

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import ASGIApp, Receive, Scope, Send

FULL_SECONDS = 2.0
"""After which somebody may have left."""


class Crowd:
    """Refuses whoever comes while the server is full, and closes their connection.

    Args:
        app: answers everybody else.
        full: whether the server is.
    """

    def __init__(self, app: ASGIApp, full: Callable[[], bool]) -> None:
        self._app = app
        self._full = full

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not self._full():
            return await self._app(scope, receive, send)
        error = EngineBusy("the server has as many connections as it can hold: ask again later")
        error.retry_after = FULL_SECONDS
        reply = refusal(scope["path"], error)
        reply.headers["Connection"] = "close"
        return await reply(scope, receive, send)
