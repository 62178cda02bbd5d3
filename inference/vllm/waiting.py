"""Waiting for what an event loop in a thread of its own does; it may be called off at any moment.

Whoever waits looks up every now and then whether the outcome is still wanted, so that also what
never answers can be left.
"""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import wait
from contextlib import aclosing
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, TypeVar

from midfill.inference.errors import Cancelled
from midfill.inference.vllm.patience import OutOfTime

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Coroutine, Generator
    from concurrent.futures import Future
    from typing import Any

    from midfill.inference.vllm.patience import Patience

POLL = 0.03
"""Seconds between two looks at whether the outcome is still wanted."""

END_SECONDS = 3.0
"""For the thread to end, and before that for what is to be done at the end."""

Result = TypeVar("Result")
Item = TypeVar("Item")


class LoopThread:
    """An event loop in a thread of its own.

    Args:
        name: of the thread.
    """

    def __init__(self, name: str) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name=name, daemon=True)
        self._thread.start()

    def close(self, last: Coroutine[Any, Any, None]) -> None:
        """Cancel all that runs, do a last thing, and end the thread."""
        if self._loop.is_closed():
            last.close()
            return
        wait([self._start(_end(last))], END_SECONDS)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(END_SECONDS)
        if not self._thread.is_alive():
            self._loop.close()

    def outcome(self, work: Coroutine[Any, Any, Result], patience: Patience) -> Result:
        """What comes of it.

        Raises:
            Cancelled: nobody wants it any more.
            OutOfTime: the deadline passed before.
        """
        future = self._start(work)
        try:
            while not wait([future], POLL).done:
                _still_wanted(patience)
            return future.result()
        finally:
            future.cancel()

    def each(self, items: AsyncGenerator[Item], patience: Patience) -> Generator[Item, None, None]:
        """Items, as they come. Leaving the iterator ends what makes them; raises as `outcome`."""
        arrived: SimpleQueue[tuple[Item] | BaseException | None] = SimpleQueue()

        async def pump() -> None:
            try:
                async with aclosing(items):
                    async for item in items:
                        arrived.put((item,))
                arrived.put(None)
            except asyncio.CancelledError:
                raise
            except BaseException as error:
                arrived.put(error)

        pumping = self._start(pump())
        try:
            while True:
                _still_wanted(patience)
                try:
                    told = arrived.get(timeout=POLL)
                except Empty:
                    continue
                if told is None:
                    return
                if isinstance(told, BaseException):
                    raise told
                yield told[0]
        finally:
            pumping.cancel()

    def _start(self, work: Coroutine[Any, Any, Result]) -> Future[Result]:
        return asyncio.run_coroutine_threadsafe(work, self._loop)


async def _end(last: Coroutine[Any, Any, None]) -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
    await last


def _still_wanted(patience: Patience) -> None:
    if patience.cancelled():
        raise Cancelled("the request was cancelled")
    if not patience.left:
        raise OutOfTime
