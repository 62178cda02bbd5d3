"""The forms in which the service answers."""

from __future__ import annotations

from contextlib import suppress
from math import ceil
from typing import TYPE_CHECKING

from starlette.responses import Response, StreamingResponse

from midfill.inference.errors import MidfillError
from midfill.inference.failures import failure_of
from midfill.inference.service.accounts import note_refusal

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from starlette.types import Receive, Scope, Send

    from midfill.inference.wire import WireModel

STATUS_OF_CODE = {
    "invalid-request": 422,
    "invalid-text": 422,
    "too-large": 413,
    "busy": 503,
    "queue-full": 429,
    "unauthorized": 401,
    "forbidden": 403,
    "too-many-requests": 429,
    "too-slow": 408,
}


def json_reply(content: WireModel, status: int = 200) -> Response:
    return Response(content.model_dump_json(), status, media_type="application/json")


def refusal(error: BaseException, status: int | None = None) -> Response:
    """A `Failure` instead of the work that was asked for, with ``Retry-After`` where known.

    Args:
        status: instead of that which goes with the error.
    """
    failure = failure_of(error)
    note_refusal(failure.code)
    reply = json_reply(failure, status or STATUS_OF_CODE.get(failure.code, 500))
    if isinstance(error, MidfillError) and error.retry_after is not None:
        reply.headers["Retry-After"] = str(max(1, ceil(error.retry_after)))
    return reply


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
