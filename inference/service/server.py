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
from midfill.inference.service.access import Gate
from midfill.inference.service.app import EngineApp
from midfill.inference.service.lifetime import (
    GRACE,
    IDLE_AFTER,
    stop_when_alone,
    unload_when_idle,
)
from midfill.inference.service.presence import Presence
from midfill.inference.service.status import Status
from midfill.inference.service.worker import PAUSE_AFTER_FAILED_LOAD, QUEUE_PLACES, Worker
from midfill.inference.transport import Listener, lock_file
from midfill.inference.version import version
from midfill.inference.wire import EngineState

if TYPE_CHECKING:
    import socket
    from collections.abc import Awaitable, Callable, Generator, Iterable
    from types import FrameType

    from starlette.types import ASGIApp

    from midfill.inference.service.access import TokenFile
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
    tokens: TokenFile | None = None,
) -> None:
    """Serve an engine until a signal, a drain or the limits end it.

    Returns at once when another process serves this address already. Listens before the model is
    loaded, and before ``make_engine`` has returned.

    Args:
        make_engine: called in the engine's own thread.
        model: the name that ``/health`` tells.
        address: where to listen.
        limits: how long to stay, and for how many.
        tokens: what opens a `TcpAddress`.

    Raises:
        UsageError: the address cannot be listened at.
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
        listener = Listener(address)
        held.callback(listener.close)
        worker_ended = asyncio.run(
            serve_until_stopped(make_engine, model, listener, limits or ServiceLimits(), tokens)
        )
    log.info("stopped")
    if not worker_ended:
        # Native code may abort when the interpreter is torn down around it.
        logging.shutdown()
        os._exit(0)


def _good_tokens(
    listener: Listener, tokens: TokenFile | None
) -> Callable[[], Iterable[str]] | None:
    """The tokens that open this listener; None where the file system guards it."""
    if listener.token is not None:
        return lambda token=listener.token: (token,)  # type: ignore[misc]
    return tokens


async def serve_until_stopped(
    make_engine: Callable[[], Engine],
    model: str,
    listener: Listener,
    limits: ServiceLimits,
    tokens: TokenFile | None = None,
) -> bool:
    """Serve on the running event loop; whether the engine's thread has ended, too, at the end."""
    status = Status(version=version(), model=model)
    presence = Presence()
    worker = Worker(make_engine, status, places=limits.places, pause=limits.pause_after_failed_load)

    app: ASGIApp = EngineApp(
        worker, status, presence, drain=lambda: server.stop("drained")
    ).starlette()
    if (good := _good_tokens(listener, tokens)) is not None:
        app = Gate(app, good)

    async def finish() -> None:
        status.set(EngineState.DRAINING)
        await worker.finish(limits.drain_within)
        status.close()

    server = EngineServer(app, finish, worker.abandon)
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
    """

    def __init__(
        self, app: ASGIApp, finish: Callable[[], Awaitable[None]], abandon: Callable[[], None]
    ) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                loop="asyncio",
                http="h11",
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                proxy_headers=False,
                server_header=False,
                date_header=False,
                timeout_graceful_shutdown=SECONDS_FOR_CONNECTIONS,
            )
        )
        self._finish = finish
        self._abandon = abandon

    def stop(self, why: str) -> None:
        log.info("stopping: %s", why)
        self.should_exit = True

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
