"""The engine's HTTP interface.

====================  ==========================================================================
``POST /v1/infill``   an `InfillRequest`; answers events ``draft``, then ``final`` or ``error``
``POST /v1/prompt``   an `InfillRequest`; answers a `ShownPrompt`, and fills nothing
``GET /health``       a `Health`
``GET /health/deep``  a `DeepHealth`: a tiny hole has just been filled; else status 503 and why
``GET /metrics``      figures for Prometheus
``GET /v1/events``    an event ``status`` with a `Health` now and on every change; an open stream
                      is also how the engine knows that somebody is there
``POST /v1/load``     load the model if it is not loaded
``POST /v1/forget``   let go of what is kept of the caller's text for their next request
``POST /v1/drain``    answer what is running, refuse what is new, then exit
====================  ==========================================================================

A refusal is a `Failure` with a matching HTTP status. What other tools speak, and how they are
refused, is in ``facade/``.
"""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

from midfill.inference.errors import EngineBusy, MidfillError
from midfill.inference.failures import failure_of
from midfill.inference.server_sent_events import encode
from midfill.inference.service.accounts import note_refusal
from midfill.inference.service.callers import caller_of
from midfill.inference.service.deep_health import DeepCheck
from midfill.inference.service.facade.health_reply import health_reply
from midfill.inference.service.facade.routes import facade_routes
from midfill.inference.service.job import show_prompt
from midfill.inference.service.metrics import CONTENT_TYPE
from midfill.inference.service.refusing import HANDLERS, refusal
from midfill.inference.service.replies import EventStream, json_reply
from midfill.inference.service.request_body import parse_request, read_body
from midfill.inference.wire import Draft, EngineState

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from starlette.requests import Request

    from midfill.inference.service.job import Job
    from midfill.inference.service.metrics import Metrics
    from midfill.inference.service.presence import Presence
    from midfill.inference.service.status import Status
    from midfill.inference.service.worker import Worker


class EngineApp:
    """The routes over one worker.

    Args:
        worker: does the work.
        status: what ``/health`` and ``/v1/events`` tell.
        presence: told who comes and goes.
        drain: called once, when somebody asks this engine to make way.
        metrics: what ``/metrics`` tells.
    """

    def __init__(
        self,
        worker: Worker,
        status: Status,
        presence: Presence,
        drain: Callable[[], None],
        metrics: Metrics,
    ) -> None:
        self._worker = worker
        self._status = status
        self._presence = presence
        self._drain = drain
        self._metrics = metrics
        self._deep_check = DeepCheck(worker.submit, status)

    def starlette(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/v1/infill", self.infill, methods=["POST"]),
                Route("/v1/prompt", self.prompt, methods=["POST"]),
                Route("/v1/events", self.events, methods=["GET"]),
                Route("/v1/load", self.load, methods=["POST"]),
                Route("/v1/forget", self.forget, methods=["POST"]),
                Route("/v1/drain", self.drain, methods=["POST"]),
                Route("/health", self.health, methods=["GET"]),
                Route("/health/deep", self.deep_health, methods=["GET"]),
                Route("/metrics", self.metrics, methods=["GET"]),
                *facade_routes(self._worker, self._status, self._presence),
            ],
            exception_handlers=HANDLERS,
        )

    async def infill(self, request: Request) -> Response:
        body = await read_body(request.stream())
        self._refuse_when_draining()
        job = self._worker.submit(parse_request(body), caller=caller_of(request.scope))
        leave = self._presence.enter()

        def close() -> None:
            job.cancel()
            leave()

        return EventStream(_results(job), close)

    async def prompt(self, request: Request) -> Response:
        body = await read_body(request.stream())
        self._refuse_when_draining()
        job = self._worker.submit(parse_request(body), show_prompt, caller=caller_of(request.scope))
        leave = self._presence.enter()
        try:
            async with aclosing(job.results()) as results:
                return json_reply(await anext(results))
        finally:
            leave()

    async def health(self, request: Request) -> Response:
        return json_reply(health_reply(self._status.health))

    async def deep_health(self, request: Request) -> Response:
        try:
            return json_reply(await self._deep_check())
        except MidfillError as error:
            return refusal(request.scope["path"], error, 503)

    async def metrics(self, request: Request) -> Response:
        return Response(self._metrics.exposition(), headers={"Content-Type": CONTENT_TYPE})

    async def events(self, request: Request) -> Response:
        return EventStream(self._status_events(), self._presence.enter())

    async def load(self, request: Request) -> Response:
        self._refuse_when_draining()
        self._worker.load()
        return json_reply(self._status.health, 202)

    async def forget(self, request: Request) -> Response:
        self._worker.forget(caller_of(request.scope))
        return json_reply(self._status.health, 202)

    async def drain(self, request: Request) -> Response:
        if not self._draining:
            self._status.set(EngineState.DRAINING)
            self._drain()
        return json_reply(self._status.health, 202)

    @property
    def _draining(self) -> bool:
        return self._status.health.state is EngineState.DRAINING

    def _refuse_when_draining(self) -> None:
        if self._draining:
            raise EngineBusy("the engine is about to stop: ask again in a moment")

    async def _status_events(self) -> AsyncIterator[bytes]:
        async for health in self._status.watch():
            yield encode("status", health.model_dump_json())


async def _results(job: Job) -> AsyncIterator[bytes]:
    try:
        async for result in job.results():
            name = "draft" if isinstance(result, Draft) else "final"
            yield encode(name, result.model_dump_json())
    except MidfillError as error:
        note_refusal(error.code)
        yield encode("error", failure_of(error).model_dump_json())
