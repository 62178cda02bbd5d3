"""The engine process: takes its address, listens, works, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

import uvicorn
from filelock import FileLock, Timeout

from midfill.inference.errors import UsageError
from midfill.inference.listening import Listener
from midfill.inference.service.access import guarded
from midfill.inference.service.app import EngineApp
from midfill.inference.service.connections import (
    CONNECTIONS,
    HANDSHAKE_SECONDS,
    HEAD_BYTES,
    KEPT_SECONDS,
    BoundedConnection,
    allow_many_connections,
)
from midfill.inference.service.lifetime import (
    GRACE,
    IDLE_AFTER,
    stop_when_alone,
    unload_when_idle,
)
from midfill.inference.service.metrics import Metrics
from midfill.inference.service.presence import Presence
from midfill.inference.service.status import Status
from midfill.inference.service.worker import PAUSE_AFTER_FAILED_LOAD, QUEUE_PLACES, Worker
from midfill.inference.transport import lock_file
from midfill.inference.version import version
from midfill.inference.wire import EngineState

if TYPE_CHECKING:
    import socket
    import ssl
    from collections.abc import Awaitable, Callable, Generator
    from types import FrameType

    from starlette.types import ASGIApp

    from midfill.inference.service.access import Access
    from midfill.inference.service.backend import Engine
    from midfill.inference.transport import Address

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ServiceLimits:
    """All times in seconds."""

    idle_after: float = IDLE_AFTER
    grace: float | None = None
    """Stop when nobody was connected for so long; None: stay until told to go."""
    drain_within: float = 30.0
    """Requests that take longer than this to answer do not hold up the end."""
    pause_after_failed_load: float = PAUSE_AFTER_FAILED_LOAD
    places: int = QUEUE_PLACES


ON_DEMAND = ServiceLimits(grace=GRACE)

ENDING_SIGNALS = (signal.SIGINT, signal.SIGTERM)
SECONDS_FOR_CONNECTIONS = 3
SECONDS_FOR_THE_THREAD = 2.0


def serve(
    make_engine: Callable[[], Engine],
    model: str,
    address: Address,
    *,
    limits: ServiceLimits | None = None,
    access: Access | None = None,
) -> None:
    """Serve an engine until a signal, a drain or the limits end it.

    Returns at once when another process serves this address already. Listens before the model is
    loaded, and before ``make_engine`` has returned.

    Args:
        make_engine: called in the engine's own thread.
        model: the name that ``/health`` tells.
        address: where to listen.
        limits: how long to stay, and for how many.
        access: who may ask at a `TcpAddress`.

    Raises:
        UsageError: the address cannot be listened at, or the files for TLS are unfit.
    """
    lock = lock_file(address)
    with contextlib.ExitStack() as held:
        if lock is not None:
            try:
                held.enter_context(FileLock(lock, mode=0o600, blocking=False))
            except Timeout:
                log.info("an engine serves %s already", address)
                return
            except OSError as error:
                raise UsageError(f"cannot lock {lock}: {error.strerror or error}") from error
        if access and access.shared:
            allow_many_connections()
        listener = Listener(address)
        held.callback(listener.close)
        worker_ended = asyncio.run(
            serve_until_stopped(make_engine, model, listener, limits or ServiceLimits(), access)
        )
    log.info("stopped")
    if not worker_ended:
        # Native code may abort when the interpreter is torn down around it.
        logging.shutdown()
        os._exit(0)


async def serve_until_stopped(
    make_engine: Callable[[], Engine],
    model: str,
    listener: Listener,
    limits: ServiceLimits,
    access: Access | None = None,
) -> bool:
    """Serve on the running event loop; whether the engine's thread has ended, too, at the end.

    Raises:
        UsageError: the files for TLS are unfit.
    """
    tls = access.tls.context() if access and access.tls else None
    status = Status(version=version(), model=model)
    presence = Presence()
    worker = Worker(make_engine, status, places=limits.places, pause=limits.pause_after_failed_load)

    metrics = Metrics(version(), lambda: status.health.state, lambda: worker.unfinished)
    app = EngineApp(
        worker, status, presence, drain=lambda: server.stop("drained"), metrics=metrics
    ).starlette()

    async def finish() -> None:
        status.set(EngineState.DRAINING)
        await worker.finish(limits.drain_within)
        status.close()

    server = EngineServer(
        guarded(app, listener, access, metrics, lambda: server.full), finish, worker.abandon, tls
    )
    lifetime = [asyncio.create_task(unload_when_idle(worker, limits.idle_after))]
    if limits.grace is not None:
        lifetime.append(
            asyncio.create_task(
                stop_when_alone(presence, limits.grace, lambda: server.stop("nobody is there"))
            )
        )
    worker.start()
    log.info("serving %s at %s", model, listener.address)
    try:
        await server.serve([listener.socket])
    finally:
        server.stop_listening()
        for task in lifetime:
            task.cancel()
        ended = worker.stop(SECONDS_FOR_THE_THREAD)
    return ended


class EngineServer(uvicorn.Server):
    """Uvicorn, but it answers what is running before it stops; and a signal is no failure.

    Args:
        app: the application.
        finish: awaited when the end has been asked for; meanwhile new requests are refused.
        abandon: called when somebody signals a second time.
        tls: with which connections are encrypted, if they are.
    """

    def __init__(
        self,
        app: ASGIApp,
        finish: Callable[[], Awaitable[None]],
        abandon: Callable[[], None],
        tls: ssl.SSLContext | None = None,
    ) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                loop="asyncio",
                http=BoundedConnection,
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                proxy_headers=False,
                server_header=False,
                date_header=False,
                timeout_graceful_shutdown=SECONDS_FOR_CONNECTIONS,
                timeout_keep_alive=KEPT_SECONDS,
                h11_max_incomplete_event_size=HEAD_BYTES,
            )
        )
        self._finish = finish
        self._abandon = abandon
        self._tls = tls
        self.servers = []

    @property
    def full(self) -> bool:
        """Whether there are as many connections as may be, or more answers under way."""
        state = self.server_state
        return len(state.connections) >= CONNECTIONS or len(state.tasks) > CONNECTIONS

    def stop(self, why: str) -> None:
        log.info("stopping: %s", why)
        self.should_exit = True

    def stop_listening(self) -> None:
        """Take no more connections, also where an end in good order was cut short."""
        for listening in self.servers:
            listening.close()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        # The base's does not limit how long a handshake may take.
        loop = asyncio.get_running_loop()
        self.servers = [
            await loop.create_server(
                lambda: BoundedConnection(self.config, self.server_state, CONNECTIONS),
                sock=listening,
                ssl=self._tls,
                ssl_handshake_timeout=HANDSHAKE_SECONDS if self._tls else None,
                backlog=self.config.backlog,
            )
            for listening in sockets or ()
        ]
        self.started = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await self._finish()
        await super().shutdown(sockets)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if self.should_exit:
            self.force_exit = True
            self._abandon()
        self.should_exit = True

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        # The base's raises the signal again at the end, before the socket is taken away.
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {sig: signal.signal(sig, self.handle_exit) for sig in ENDING_SIGNALS}
        try:
            yield
        finally:
            for sig, handler in before.items():
                signal.signal(sig, handler)
