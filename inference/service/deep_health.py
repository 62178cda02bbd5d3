"""Whether the engine is really well: it fills a tiny hole, by way of the queue like everybody."""

from __future__ import annotations

import asyncio
import time
from contextlib import aclosing
from typing import TYPE_CHECKING

from midfill.inference.errors import EngineBusy, EngineUnavailable, MidfillError
from midfill.inference.wire import EngineState, Final, InfillRequest, Limits, WireModel

if TYPE_CHECKING:
    from collections.abc import Callable

    from midfill.inference.service.job import Job
    from midfill.inference.service.status import Status

WITHIN = 10.0
"""Seconds that the fill may take, its wait in the queue included."""

FRESH = 10.0
"""An outcome stands for so many seconds, so that nobody can make the engine work by asking."""

PROBE = InfillRequest(
    prefix="def add(a, b):\n    return ",
    suffix="\n",
    limits=Limits(tokens=8, deadline_ms=int(1e3 * WITHIN)),
)


class DeepHealth(WireModel):
    """A fill that has just come about."""

    status: str = "ok"
    model: str
    steps: int
    tokens: int
    ms: float
    """From asking to the end, the queue included."""
    age_ms: float = 0.0
    """How long ago it was asked for."""


class DeepCheck:
    """Fills the probe at most once in a while; all who ask meanwhile have the same outcome.

    Args:
        submit: queues a request.
        status: an engine that loads or drains is not asked.
        within: seconds that the fill may take.
        fresh: seconds for which an outcome stands.
    """

    def __init__(
        self,
        submit: Callable[[InfillRequest], Job],
        status: Status,
        *,
        within: float = WITHIN,
        fresh: float = FRESH,
    ) -> None:
        self._submit = submit
        self._status = status
        self._within = within
        self._fresh = fresh
        self._asked_at = 0.0
        self._outcome: asyncio.Task[DeepHealth] | None = None

    async def __call__(self) -> DeepHealth:
        """The last outcome, or a new one.

        Raises:
            MidfillError: no fill came about in time, and why.
        """
        now = time.monotonic()
        stale = self._outcome is None or (
            self._outcome.done() and now - self._asked_at >= self._fresh
        )
        if stale:
            self._asked_at = now
            self._outcome = asyncio.create_task(self._fill())
            # Whoever asked may be gone by then.
            self._outcome.add_done_callback(lambda task: task.cancelled() or task.exception())
        assert self._outcome is not None
        outcome = await asyncio.shield(self._outcome)
        return outcome.model_copy(update={"age_ms": round(1e3 * (now - self._asked_at), 1)})

    async def _fill(self) -> DeepHealth:
        health = self._status.health
        if health.state in (EngineState.LOADING, EngineState.DRAINING, EngineState.FAILED):
            raise EngineUnavailable(f"the engine is {health.state}: {health.detail or 'wait'}")
        began = time.monotonic()
        try:
            async with asyncio.timeout(self._within):
                final = await self._final()
        except TimeoutError as error:
            raise EngineBusy(f"no fill came within {self._within:g} s") from error
        return DeepHealth(
            model=health.model,
            steps=final.steps,
            tokens=final.tokens,
            ms=round(1e3 * (time.monotonic() - began), 1),
        )

    async def _final(self) -> Final:
        job = self._submit(PROBE)
        async with aclosing(job.results()) as results:
            async for result in results:
                if isinstance(result, Final):
                    return result
        raise MidfillError("the engine gave no answer")
