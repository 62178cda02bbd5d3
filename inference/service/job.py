"""One request on its way through the engine's thread."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from midfill.inference.errors import EngineBusy, MidfillError
from midfill.inference.service.accounts import fill_noter
from midfill.inference.wire import Final
from midfill.inference.wire_prompt import ShownPrompt

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Iterator

    from midfill.inference.service.backend import Engine
    from midfill.inference.wire import Draft, InfillRequest

    Result = Draft | Final | ShownPrompt
    Work = Callable[[Engine, "Job"], Iterator[Result]]

LAST = (Final, ShownPrompt)
"""What comes last of a request, whichever it is."""


def fill(engine: Engine, job: Job) -> Iterator[Result]:
    """Fill the request's hole."""
    yield from engine.infill(job.request, job.cancelled, job.caller)


def show_prompt(engine: Engine, job: Job) -> Iterator[Result]:
    """Only tell what the model would be given."""
    yield engine.prompt(job.request)


class Job:
    """A request; its owner on the event loop reads `results`.

    Attributes:
        request: what it is about.
        caller: whose it is.
        work: what to do about it, in the engine's thread.
        asked: when it came, on the monotonic clock.

    Args:
        leave: told when nobody waits for it any more.
    """

    def __init__(
        self, request: InfillRequest, work: Work, caller: str, leave: Callable[[Job], None]
    ) -> None:
        self.request = request
        self.work = work
        self.caller = caller
        self.asked = time.monotonic()
        self._leave = leave
        self._loop = asyncio.get_running_loop()
        self._results: asyncio.Queue[Result | MidfillError] = asyncio.Queue()
        # No `threading.Event`: a signal handler may set it while it is being set, and would hang.
        self._cancelled = False
        self._note_final = fill_noter()

    def cancelled(self) -> bool:
        return self._cancelled

    def stop(self) -> None:
        """Have the engine stop before its next step."""
        self._cancelled = True

    def cancel(self) -> None:
        """Nobody wants the rest: stop, and make room for others."""
        self.stop()
        self._leave(self)

    def count_waiting(self, since: float) -> None:
        """Take the time that it has waited off its deadline.

        Args:
            since: when the engine was ready; nobody could have answered before.

        Raises:
            EngineBusy: its time is up.
        """
        limits = self.request.limits
        waited = time.monotonic() - max(self.asked, since)
        left = limits.deadline_ms - round(1e3 * waited)
        if left <= 0:
            raise EngineBusy("the request waited for its turn until its deadline: ask again")
        limits = limits.model_copy(update={"deadline_ms": left})
        self.request = self.request.model_copy(update={"limits": limits})

    def tell(self, result: Result | MidfillError) -> None:
        """From the engine's thread: hand over what there is."""
        self._loop.call_soon_threadsafe(self._results.put_nowait, result)

    async def results(self) -> AsyncGenerator[Result]:
        """Drafts, then the final fill; or just the prompt.

        Raises:
            MidfillError: the engine failed.
        """
        try:
            while True:
                result = await self._results.get()
                if isinstance(result, MidfillError):
                    raise result
                if isinstance(result, Final):
                    self._note_final(result)
                yield result
                if isinstance(result, LAST):
                    return
        finally:
            self.cancel()
