"""One engine of a cluster: a worker and the engine's own HTTP interface, asked over a handle."""

from __future__ import annotations

import asyncio
import math
import time
from functools import partial
from typing import TYPE_CHECKING

from starlette.routing import Route

from midfill.inference.cluster.asked import answer
from midfill.inference.errors import EngineUnavailable, MidfillError
from midfill.inference.failures import error_of
from midfill.inference.service.access_log import AccessLog
from midfill.inference.service.app import EngineApp
from midfill.inference.service.deep_health import DeepCheck
from midfill.inference.service.engine_keeper import reported
from midfill.inference.service.metrics import Metrics
from midfill.inference.service.presence import Presence
from midfill.inference.service.status import Status
from midfill.inference.service.worker import Worker
from midfill.inference.version import version
from midfill.inference.wire import EngineState

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from starlette.types import Message

    from midfill.inference.cluster.asked import Asked
    from midfill.inference.cluster.settings import ClusterSettings
    from midfill.inference.service.backend import Engine

PROBES = 2
"""Places beside those of requests, so that a full replica can still be asked whether it is well."""

SECONDS_FOR_THE_THREAD = 2.0
OK = 200


def engine_for(settings: ClusterSettings) -> Engine:
    """The engine that the settings call for; it imports torch."""
    from midfill.inference.engine import Engine

    return Engine(settings.model, settings.device, context_bytes=settings.context_bytes)


class EngineReplica:
    """Answers once its model is loaded, and says whether it is well by filling a tiny hole.

    Args:
        settings: of the cluster.
        make_engine: instead of what the settings call for; called in the engine's own thread.

    Raises:
        EngineUnavailable: the model could not be loaded, or not in time.
    """

    async def __init__(  # type: ignore[misc]  # Serve awaits it, on the loop that requests run on
        self, settings: ClusterSettings, make_engine: Callable[[], Engine] | None = None
    ) -> None:
        status = Status(version=version(), model=settings.model)
        places = settings.max_ongoing_requests + PROBES
        worker = Worker(
            make_engine or partial(engine_for, settings),
            status,
            places=places,
            places_each=places,
        )
        metrics = Metrics(version(), lambda: status.health.state, lambda: worker.unfinished)
        app = EngineApp(worker, status, Presence(), _stay, metrics).starlette()
        routes = frozenset(route.path for route in app.routes if isinstance(route, Route))
        self._app = AccessLog(app, routes, metrics, written=False)  # Serve has a log of its own
        self._worker = worker
        self._metrics = metrics
        self._progress_at = -math.inf
        self._patience = settings.health_timeout
        self._check = DeepCheck(
            worker.submit,
            status,
            within=0.8 * settings.health_timeout,
            fresh=0.8 * settings.health_period,
        )
        worker.start()
        try:
            async with asyncio.timeout(settings.load_within):
                await _loaded(status)
        except TimeoutError as error:
            raise EngineUnavailable(
                f"the model was not loaded within {settings.load_within:g} s"
            ) from error

    async def answer(self, asked: Asked) -> AsyncGenerator[Message]:
        """An ASGI answer, message by message; closing it stops the fill before its next step.

        Raises:
            MidfillError: something failed that nobody had thought of. Serve logs what is raised
                here, so that it may not quote any text.
        """
        filling = False
        try:
            async for message in answer(self._app, asked):
                if message["type"] == "http.response.start":
                    filling = asked.method == "POST" and message["status"] == OK
                elif filling:
                    self._progress_at = time.monotonic()
                yield message
        except Exception as error:
            raise error_of(reported("a request failed", error)) from None

    async def figures(self) -> bytes:
        """What ``/metrics`` tells of this replica."""
        return self._metrics.exposition()

    async def forget(self, caller: str) -> None:
        """Let go of what is kept of a caller's text."""
        self._worker.forget(caller)

    async def check_health(self) -> None:
        """Whether this replica is well: Serve replaces one that raises three times.

        Raises:
            MidfillError: no fill comes about, and it is not because others have their turn.
        """
        try:
            await self._check()
        except MidfillError:
            if time.monotonic() - self._progress_at > self._patience:
                raise

    def __del__(self) -> None:
        if worker := getattr(self, "_worker", None):
            worker.stop(SECONDS_FOR_THE_THREAD)


async def _loaded(status: Status) -> None:
    async for health in status.watch():
        if health.state is EngineState.READY:
            return
        if health.state is EngineState.FAILED:
            raise EngineUnavailable(f"the model could not be loaded: {health.detail}")


def _stay() -> None:
    """Serve decides when a replica goes; no door lets ``/v1/drain`` through."""
