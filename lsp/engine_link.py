"""The language server's one connection to the engine, kept up in the background.

This file is loaded before the server answers its first message, so it loads next to nothing itself:
httpx, pydantic and what builds on them are loaded in a thread once the connection is wanted.
"""

from __future__ import annotations

import asyncio
import importlib
import logging
import os
import time
from contextlib import aclosing, suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from midfill.inference.errors import EngineUnavailable, MidfillError
from midfill.lsp.patience import Patience
from midfill.lsp.restart_policy import RestartPolicy

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine

    from midfill.inference.transport import Address
    from midfill.inference.wire import Draft, Final, Health, InfillRequest
    from midfill.inference.wire_prompt import ShownPrompt
    from midfill.lsp.engine_client import EngineClient

    StartEngine = Callable[[str, Address], Awaitable[None]]
    OnStatus = Callable[[Health], None]

log = logging.getLogger(__name__)

HEAVY = (
    "midfill.inference.transport",
    "midfill.inference.version",
    "midfill.inference.wire",
    "midfill.lsp.engine_client",
    "midfill.lsp.engine_process",
    "midfill.lsp.own_engine",
)

LASTING = frozenset(
    {"restart-needed", "usage", "unauthorized", "forbidden", "untrusted", "another-version"}
)
"""Codes of errors that stay until somebody does something about them."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A server elsewhere, as the user's settings name it.

    Attributes:
        url: see `inference.endpoint.parse_endpoint`.
        token_file: where its token stands, if not in the environment or the keyring.
    """

    url: str
    token_file: str = ""


class EngineLink:
    """Finds the engine, or starts it; replaces one of another version; restarts one that dies.

    Belongs to one event loop. Nothing here blocks it.

    Args:
        model: the engine's model.
        on_status: called on the event loop with every change, also those that the engine itself
            cannot tell: that it is being started, that it went away.
        start: starts an engine and returns when one answers.
        policy: how often to try.
        endpoint: a server elsewhere, instead of an engine of the user's own.
    """

    def __init__(
        self,
        model: str,
        on_status: OnStatus,
        start: StartEngine | None = None,
        policy: RestartPolicy | None = None,
        endpoint: Endpoint | None = None,
    ) -> None:
        self.model = model
        self._on_status = on_status
        self._start_engine = start
        self._policy = policy or RestartPolicy()
        self._patience = Patience()
        self._endpoint = endpoint
        self._task: asyncio.Task[None] | None = None
        self._client: EngineClient | None = None
        self._health: Health | None = None
        self._wanted = asyncio.Event()
        self._background: set[asyncio.Task[None]] = set()

    @property
    def health(self) -> Health | None:
        """The last state told; None before there is any."""
        return self._health

    @property
    def ready(self) -> bool:
        """Whether a request would be answered at once."""
        health = self._health
        return self._client is not None and health is not None and health.state == "ready"

    def start(self) -> None:
        """Begin to connect, unless that has begun; to be called on the event loop."""
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._keep_up())

    async def infill(self, request: InfillRequest) -> AsyncGenerator[Draft | Final]:
        """Drafts, then the finished fill; close it to have the engine stop.

        Raises:
            EngineUnavailable: there is no engine now, or it went away; one is being started.
            MidfillError: whatever the engine refuses.
        """
        self._want()
        client = self._client
        if client is None:
            raise EngineUnavailable("the engine is not there yet")
        self._patience.need()
        try:
            async with aclosing(client.infill(request)) as results:
                async for result in results:
                    yield result
        except MidfillError as error:
            self._patience.note(error)
            raise

    async def prompt(self, request: InfillRequest) -> ShownPrompt:
        """What the model would be given for a request.

        Raises:
            EngineUnavailable: there is no engine now, or it went away; one is being started.
            MidfillError: whatever the engine refuses.
        """
        self._want()
        client = self._client
        if client is None:
            raise EngineUnavailable("the engine is not there yet")
        return await client.prompt(request)

    def ask_to_load(self) -> None:
        """Have the engine load its model, or be started, without waiting for it.

        May be called at every key: an engine that has just failed to load is left in peace.
        """
        self._want()
        if self._client is not None and self._health and self._health.state in ("idle", "failed"):
            self._send(self._client.load())

    def ask_to_forget(self) -> None:
        """Have the engine, if there is one, let go of what it has read, without waiting for it.

        It keeps contexts for the next request, those of documents that are excluded by now too.
        """
        if self._client is not None:
            self._send(self._client.forget())

    async def close(self) -> None:
        """Let go of the engine; it ends by itself when nobody else holds it."""
        tasks = [*self._background, *([self._task] if self._task else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _send(self, message: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(_sent(message))
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    def _want(self) -> None:
        self.start()
        if self._policy.pause_left(time.monotonic()) == self._patience.left == 0:
            self._wanted.set()

    async def _keep_up(self) -> None:
        for module in HEAVY:
            await asyncio.to_thread(importlib.import_module, module)
        while True:
            reason = await self._one_life()
            delay = self._policy.failed(time.monotonic())
            if delay is not None:
                self._tell_ourselves("loading", f"{reason}; trying again")
                await asyncio.sleep(max(delay, self._patience.left))
            else:
                log.warning("no engine any more: %s", reason)
                there = f" --endpoint {self._endpoint.url}" if self._endpoint else ""
                self._tell_ourselves("failed", f"{reason}; `midfill doctor{there}` may know why")
                self._wanted.clear()
                await self._wanted.wait()

    async def _one_life(self) -> str:
        """Reach an engine and hold it until it goes; why it went, or could not be reached."""
        try:
            await self._hold(await self._reach())
        except MidfillError as error:
            self._patience.note(error)
            if error.code in LASTING:
                self._policy.stop(time.monotonic())
            return str(error)
        except Exception as error:
            # Whatever it is, it must not end the attempts unnoticed.
            log.warning("the connection to the engine failed (%s)", type(error).__name__)
            return f"the connection to the engine failed ({type(error).__name__})"
        return "the engine went away"

    async def _reach(self) -> EngineClient:
        """A client of an engine that answers and is of our version.

        Raises:
            MidfillError: there is none; with an endpoint none is ever started here.
        """
        if self._endpoint is not None:
            from midfill.lsp.team_engine import reach_team_engine

            self._tell_ourselves("loading", f"connecting to {self._endpoint.url}")
            return await reach_team_engine(self._endpoint)
        from midfill.lsp.own_engine import reach_own_engine

        tell = partial(self._tell_ourselves, "loading")
        return await reach_own_engine(self.model, tell, self._start_engine)

    async def _hold(self, client: EngineClient) -> None:
        """Pass on what the engine tells for as long as it is there."""
        began = time.monotonic()
        self._client = client
        try:
            async with aclosing(client.events()) as events:
                async for health in events:
                    self._tell(health)
        finally:
            self._client = None
            self._policy.held(time.monotonic() - began)
            await client.aclose()

    def _tell(self, health: Health) -> None:
        self._health = health
        self._on_status(health)

    def _tell_ourselves(self, state: str, detail: str) -> None:
        """Tell what the engine cannot tell, because there is none."""
        from midfill.inference.version import version
        from midfill.inference.wire import EngineState, Health

        self._tell(
            Health(
                version=version(),
                model=self.model,
                state=EngineState(state),
                detail=detail,
                pid=os.getpid(),
            )
        )


async def _sent(message: Coroutine[Any, Any, None]) -> None:
    # What goes wrong here shows in the engine's state, which is being watched.
    with suppress(MidfillError):
        await message
