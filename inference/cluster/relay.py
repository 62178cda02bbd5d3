"""A reply that another replica may take up where one was lost."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.datastructures import Headers

from midfill.inference.failures import failure_of
from midfill.inference.server_sent_events import encode

if TYPE_CHECKING:
    from starlette.types import Message, Send

    from midfill.inference.errors import MidfillError


class Relay:
    """Hands an answer's messages on to the client.

    Args:
        send: to the client.
        redrawn: what has been sent of an unfinished answer may be followed by another from its
            beginning, since it is made of drafts that the next one replaces.
    """

    def __init__(self, send: Send, *, redrawn: bool) -> None:
        self._send = send
        self._redrawn = redrawn
        self._begun = False
        self._refused = False

    @property
    def may_begin_again(self) -> bool:
        return self._redrawn or not self._begun

    async def __call__(self, message: Message) -> None:
        if message["type"] != "http.response.start":
            if self._refused:  # what would have been a refusal's body ends the stream
                message = {**message, "body": encode("error", message["body"].decode())}
            return await self._send(message)
        if self._begun:
            self._refused = message["status"] >= 400
            return None
        self._begun = True
        kind = Headers(raw=message["headers"]).get("content-type", "")
        self._redrawn = self._redrawn and kind.startswith("text/event-stream")
        return await self._send(message)

    async def break_off(self, error: MidfillError) -> None:
        """End what has begun with an error.

        Raises:
            MidfillError: ``error``, where nothing has begun or it has no form for errors.
        """
        if not (self._begun and self._redrawn):
            raise error
        body = encode("error", failure_of(error).model_dump_json())
        await self._send({"type": "http.response.body", "body": body, "more_body": False})
