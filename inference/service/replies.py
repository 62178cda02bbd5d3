"""The forms in which the service answers."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from starlette.responses import Response, StreamingResponse

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from starlette.types import Receive, Scope, Send

    from midfill.inference.wire import WireModel


def json_reply(content: WireModel, status: int = 200) -> Response:
    return Response(content.model_dump_json(), status, media_type="application/json")


class EventStream(StreamingResponse):
    """Server-sent events; ``on_close`` is called however the stream ends, at once.

    Left to the garbage collector, a generator may live on for a while after its client is gone.
    """

    def __init__(self, events: AsyncIterator[bytes], on_close: Callable[[], None]) -> None:
        super().__init__(
            events, media_type="text/event-stream", headers={"Cache-Control": "no-store"}
        )
        self._on_close = on_close

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._on_close()
            with suppress(RuntimeError):
                await self.body_iterator.aclose()  # type: ignore[attr-defined]
