"""An event loop whose clock goes on as soon as there is nothing left to do: hours in milliseconds.

What runs in threads takes a moment on that clock, and so comes out the same every time.
"""

from __future__ import annotations

import asyncio
import selectors
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Executor, Future

    from _typeshed import FileDescriptorLike

THREAD_SECONDS = 0.02
"""So long whatever is done in a thread takes."""

THREADS = ThreadPoolExecutor(1)
"""For all loops, as threads are slow to start."""


class NothingWillHappen(RuntimeError):
    """Somebody waits, and there is no timer that could end it."""


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """Belongs to one thread; asyncio's timers and `time` go by its own clock."""

    def __init__(self) -> None:
        self._now = 0.0
        super().__init__(_Selector(self))

    def time(self) -> float:
        return self._now

    def run_in_executor(
        self,
        executor: Executor | None,
        func: Callable[..., Any],
        *args: Any,  # noqa: ANN401
    ) -> asyncio.Future[Any]:
        future = self.create_future()
        done = THREADS.submit(func, *args)
        self.call_later(THREAD_SECONDS, _pass_on, done, future)
        return future

    async def settle(self) -> None:
        """Wait until all is done that needs no time to pass."""
        await asyncio.sleep(0)
        while self._ready:
            await asyncio.sleep(0)

    @property
    def timers(self) -> list[asyncio.TimerHandle]:
        """What is going to happen at a time, without what was called off."""
        return [timer for timer in self._scheduled if not timer.cancelled()]

    def skip(self, seconds: float | None) -> None:
        """Go on where the loop would wait so long."""
        if seconds is None:
            raise NothingWillHappen
        self._now += max(seconds, 0.0)


def _pass_on(done: Future[Any], future: asyncio.Future[Any]) -> None:
    error = done.exception()
    if future.cancelled():
        return
    if error is not None:
        future.set_exception(error)
    else:
        future.set_result(done.result())


class _Selector(selectors.DefaultSelector):
    def __init__(self, loop: VirtualTimeLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(
        self, timeout: float | None = None
    ) -> list[tuple[selectors.SelectorKey, FileDescriptorLike]]:
        self._loop.skip(timeout)
        return super().select(0)
