"""Where translated requests join the queue of all others."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from midfill.inference.errors import EngineBusy, MidfillError
from midfill.inference.service.callers import caller_of
from midfill.inference.service.facade.shared_fills import SharedFills
from midfill.inference.wire import EngineState, Limits

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from starlette.requests import Request

    from midfill.inference.service.facade.answering import Fill
    from midfill.inference.service.facade.hole_request import Wish
    from midfill.inference.service.job import Result
    from midfill.inference.service.presence import Presence
    from midfill.inference.service.status import Status
    from midfill.inference.service.worker import Worker
    from midfill.inference.wire import Health, InfillRequest


class Desk:
    """Takes requests in. Lives on the event loop.

    Attributes:
        since: when it began, in seconds since 1970.
    """

    def __init__(self, worker: Worker, status: Status, presence: Presence) -> None:
        self._worker = worker
        self._status = status
        self._presence = presence
        self._shared = SharedFills()
        self._warm_ups: dict[str, asyncio.Task[None]] = {}
        self.since = int(time.time())

    @property
    def health(self) -> Health:
        return self._status.health

    @property
    def model(self) -> str:
        return self._status.health.model

    def begin(self, asked: Wish, request: Request) -> Fill:
        """Have a request filled; whoever begins it has to cancel it in the end.

        Raises:
            QueueFull: there is no place for it.
            EngineBusy: the engine is about to stop.
        """
        self._refuse_when_draining()
        caller = caller_of(request.scope)
        self._end_warm_up(caller)
        fill = (
            self._shared.begin(asked.request, caller, lambda it: self._submit(it, caller))
            if asked.shared
            else self._submit(asked.request, caller)
        )
        return _Present(fill, self._presence.enter())

    def warm_up(self, asked: Wish, request: Request) -> None:
        """Have a request's text read, so that the next one finds it known. Returns at once.

        Of each caller only the newest is read, until something is to be filled; a full queue or an
        engine that stops leaves it out.
        """
        caller = caller_of(request.scope)
        self._end_warm_up(caller)
        with suppress(EngineBusy):
            self._refuse_when_draining()
            limits = Limits(tokens=1, deadline_ms=Limits().deadline_ms)
            fill = self._submit(asked.request.model_copy(update={"limits": limits}), caller)
            self._warm_ups[caller] = asyncio.ensure_future(self._read(fill, caller))

    def load(self) -> None:
        """Have the model loaded, if it is not. Returns at once."""
        self._refuse_when_draining()
        self._worker.load()

    async def _read(self, fill: Fill, caller: str) -> None:
        try:
            with suppress(MidfillError):  # the log has it, and the next request will say it
                async for _ in fill.results():
                    pass
        finally:
            fill.cancel()
            if self._warm_ups.get(caller) is asyncio.current_task():
                del self._warm_ups[caller]

    def _end_warm_up(self, caller: str) -> None:
        if (reading := self._warm_ups.pop(caller, None)) is not None:
            reading.cancel()

    def _submit(self, request: InfillRequest, caller: str) -> Fill:
        return self._worker.submit(request, caller=caller)

    def _refuse_when_draining(self) -> None:
        if self.health.state is EngineState.DRAINING:
            raise EngineBusy("the engine is about to stop: ask again in a moment")


class _Present:
    """A fill whose client counts as somebody who is there."""

    def __init__(self, fill: Fill, leave: Callable[[], None]) -> None:
        self._fill = fill
        self._leave = leave

    def results(self) -> AsyncGenerator[Result]:
        return self._fill.results()

    def cancel(self) -> None:
        self._fill.cancel()
        self._leave()
