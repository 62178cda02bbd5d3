"""The suggestion after the one that is being read, worked out meanwhile."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from midfill.lsp.suggestion_cache import Spot

SECONDS_TO_READ = 0.3
"""Whoever goes on sooner has not looked at the suggestion."""


SECONDS_TO_ANSWER = 0.02
"""So long nothing is done that the answer would have to wait for."""


@dataclass(frozen=True, slots=True)
class _Ahead:
    spot: Spot
    task: asyncio.Task[None]


class ReadingAhead:
    """At most one piece of work for each document, for a place that the cursor may get to."""

    def __init__(self, pause: float = SECONDS_TO_READ) -> None:
        self._pause = pause
        self._running: dict[str, _Ahead] = {}
        self._planned: dict[str, asyncio.TimerHandle] = {}

    def plan(self, uri: str, begin: Callable[[], None]) -> None:
        """Call ``begin`` once the answer to the present request is on its way."""
        self.stop(uri)
        loop = asyncio.get_running_loop()
        self._planned[uri] = loop.call_later(min(SECONDS_TO_ANSWER, self._pause), begin)

    def begin(self, spot: Spot, work: Coroutine[None, None, None]) -> None:
        """Do ``work`` for ``spot`` after a pause, in place of what runs for its document."""
        self.stop(spot.uri)
        task = asyncio.create_task(self._after_pause(work))
        task.add_done_callback(lambda _: work.close())
        self._running[spot.uri] = _Ahead(spot, task)

    async def join(self, spot: Spot) -> bool:
        """Wait for the work if it is for this very spot; else stop it.

        Returns:
            whether it was, and is done.

        Raises:
            CancelledError: the caller is not wanted any more; the work is stopped, too.
        """
        ahead = self._running.get(spot.uri)
        if ahead is None:
            self.stop(spot.uri)
            return False
        if ahead.spot != spot or ahead.task.done():
            self.stop(spot.uri)
            return False
        try:
            await asyncio.wait([ahead.task])
        except asyncio.CancelledError:
            self.stop(spot.uri)
            raise
        return not ahead.task.cancelled()

    def stop(self, uri: str) -> None:
        """Stop what runs or is planned for a document, if anything."""
        if planned := self._planned.pop(uri, None):
            planned.cancel()
        if ahead := self._running.pop(uri, None):
            ahead.task.cancel()

    async def _after_pause(self, work: Coroutine[None, None, None]) -> None:
        await asyncio.sleep(self._pause)
        await work
