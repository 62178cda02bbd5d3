"""The ingress: lets requests in, finds their replica, and asks another when that one is lost."""

from __future__ import annotations

import asyncio
import os
from contextlib import aclosing, suppress
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route

from midfill.inference.cluster.asked import Asked
from midfill.inference.cluster.lost import ReplicaLost
from midfill.inference.cluster.merged_figures import merged
from midfill.inference.cluster.relay import Relay
from midfill.inference.cluster.session_key import session_key
from midfill.inference.errors import MidfillError
from midfill.inference.server_sent_events import encode
from midfill.inference.service.callers import caller_of
from midfill.inference.service.facade.health_reply import HealthReply
from midfill.inference.service.metrics import CONTENT_TYPE
from midfill.inference.service.refusing import HANDLERS
from midfill.inference.service.replies import EventStream
from midfill.inference.service.request_body import read_body
from midfill.inference.wire import Health

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.types import Receive, Scope, Send

    from midfill.inference.cluster.replicas import Replicas

INFILL = "/v1/infill"
STATUS_SECONDS = 5.0
"""Between two looks at how the engines are, for whoever watches."""

FIRST_PAUSE = 0.05
"""Seconds before another replica is asked; doubled each time."""


class Door:
    """The engine's HTTP interface over many replicas.

    What concerns one document goes to the replica that knows it. ``/v1/events``, ``/v1/forget`` and
    ``/metrics`` concern all of them.

    Args:
        replicas: do the work.
        attempts: replicas that are asked, one after the other, when one is lost.
        status_seconds: between two looks at how the engines are.
    """

    def __init__(
        self, replicas: Replicas, *, attempts: int, status_seconds: float = STATUS_SECONDS
    ) -> None:
        self._replicas = replicas
        self._attempts = attempts
        self._status_seconds = status_seconds

    def starlette(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/v1/events", self.events, methods=["GET"]),
                Route("/v1/forget", self.forget, methods=["POST"]),
                Route("/metrics", self.metrics, methods=["GET"]),
                Mount("/", self.forward),
            ],
            exception_handlers=HANDLERS,
        )

    async def forward(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = await read_body(Request(scope, receive).stream())
        asked = Asked.of(scope, body)
        key = session_key(asked.caller, Headers(scope=scope), body)
        relay = Relay(send, redrawn=asked.path == INFILL)
        for attempt in range(self._attempts):
            try:
                async with aclosing(self._replicas.answer(asked, key)) as messages:
                    async for message in messages:
                        await relay(message)
                return
            except ReplicaLost as error:
                if attempt + 1 == self._attempts or not relay.may_begin_again:
                    await relay.break_off(error)
                    return
            except MidfillError as error:
                await relay.break_off(error)
                return
            await asyncio.sleep(FIRST_PAUSE * 2**attempt)

    async def events(self, request: Request) -> Response:
        return EventStream(self._states(), lambda: None)

    async def forget(self, request: Request) -> Response:
        await self._replicas.forget(caller_of(request.scope))
        return Response(status_code=202)

    async def metrics(self, request: Request) -> Response:
        figures = await self._replicas.figures()
        return Response(merged(figures), headers={"Content-Type": CONTENT_TYPE})

    async def _states(self) -> AsyncIterator[bytes]:
        told: Health | None = None
        while True:
            with suppress(MidfillError):  # busy, or about to be replaced: look again
                health = await self._health()
                if health != told:
                    told = health
                    yield encode("status", health.model_dump_json())
            await asyncio.sleep(self._status_seconds)

    async def _health(self) -> Health:
        """As one of the replicas tells it, with this process in its place."""
        asked = Asked("GET", "/health")
        body = b""
        async with aclosing(self._replicas.answer(asked, "")) as messages:
            async for message in messages:
                body += message.get("body", b"")
        told = HealthReply.model_validate_json(body).model_dump(exclude={"status"})
        return Health.model_validate(told | {"pid": os.getpid()})
