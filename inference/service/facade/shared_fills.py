"""Identical requests at the same time get different answers from one shared run.

Some tools ask for several suggestions by sending one request several times. The first is filled at
once; its copies wait for it, and one run with as many alternatives answers them all: what the first
found costs that run next to nothing.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from midfill.inference.errors import MidfillError, QueueFull
from midfill.inference.service.facade.answering import estimated_tokens
from midfill.inference.wire import Final

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from midfill.inference.service.facade.answering import Fill
    from midfill.inference.service.job import Result
    from midfill.inference.wire import InfillRequest

    Submit = Callable[[InfillRequest], Fill]

MOST_ALTERNATIVES = 8
"""What `InfillRequest` allows; further copies get the first ones' answers again."""

MOST_WAITING = 16
"""Copies that may wait for one run."""


class SharedFills:
    """The runs under way, by what they fill. Lives on the event loop."""

    def __init__(self) -> None:
        self._groups: dict[tuple[InfillRequest, str], _Group] = {}

    def begin(self, request: InfillRequest, caller: str, submit: Submit) -> Fill:
        """Fill a request for one answer, or have it answered with its likes.

        Args:
            request: what to fill.
            caller: only requests of the same one are shared.
            submit: queues a request.

        Raises:
            QueueFull: there is no place for it, or too many copies of it wait.
        """
        key = request, caller
        if (group := self._groups.get(key)) is not None:
            return group.join()
        first = submit(request)
        group = _Group(request, submit, lambda: self._groups.pop(key, None))
        self._groups[key] = group
        return _First(first, group)


class _Group:
    """A request under way, and its copies."""

    def __init__(self, request: InfillRequest, submit: Submit, over: Callable[[], object]) -> None:
        self._request = request
        self._submit = submit
        self._over = over
        self._waiting: list[_Copy] = []
        self._since = 0.0
        self._answering: asyncio.Task[None] | None = None

    def join(self) -> _Copy:
        if len(self._waiting) >= MOST_WAITING:
            raise QueueFull("too many requests for the same wait: ask again in a moment")
        if not self._waiting:
            self._since = time.monotonic()
        copy = _Copy()
        self._waiting.append(copy)
        return copy

    def first_has_gone(self, *, answered: bool) -> None:
        """Answer the copies, or end. May be called again."""
        if self._answering is None:
            self._answering = asyncio.ensure_future(self._answer_copies(int(answered)))

    async def _answer_copies(self, known: int) -> None:
        """Args: known: so many of the alternatives have been handed out."""
        try:
            while copies := [copy for copy in self._waiting if copy.wanted]:
                self._waiting = []
                await self._answer(copies, known)
                known += len(copies)
        finally:
            self._over()

    async def _answer(self, copies: list[_Copy], known: int) -> None:
        waited = 1e3 * (time.monotonic() - self._since)
        limits = self._request.limits
        left = limits.model_copy(update={"deadline_ms": max(1, int(limits.deadline_ms - waited))})
        n = min(known + len(copies), MOST_ALTERNATIVES)
        try:
            fill = self._submit(self._request.model_copy(update={"n": n, "limits": left}))
        except MidfillError as error:
            for copy in copies:
                copy.tell(error)
            return

        def stop_unless_wanted(gone: object) -> None:
            if not any(copy.wanted for copy in copies):
                fill.cancel()
                running.cancel()

        running = asyncio.ensure_future(_final(fill))
        for copy in copies:
            copy.when_gone(stop_unless_wanted)
        outcome: Final | MidfillError
        try:
            outcome = await running
        except MidfillError as error:
            outcome = error
        except asyncio.CancelledError:
            if any(copy.wanted for copy in copies):
                raise
            return
        for number, copy in enumerate(copies, known):
            copy.tell(_alternative(outcome, number) if isinstance(outcome, Final) else outcome)


class _First:
    """The one whose run it is."""

    def __init__(self, fill: Fill, group: _Group) -> None:
        self._fill = fill
        self._group = group
        self._answered = False

    async def results(self) -> AsyncGenerator[Result]:
        async for result in self._fill.results():
            self._answered = self._answered or isinstance(result, Final)
            yield result

    def cancel(self) -> None:
        self._fill.cancel()
        self._group.first_has_gone(answered=self._answered)


class _Copy:
    """One that waits for its alternative."""

    def __init__(self) -> None:
        self._final: asyncio.Future[Final] = asyncio.get_running_loop().create_future()

    @property
    def wanted(self) -> bool:
        return not self._final.done()

    def tell(self, outcome: Final | MidfillError) -> None:
        if self._final.done():
            return
        if isinstance(outcome, Final):
            self._final.set_result(outcome)
        else:
            self._final.set_exception(outcome)

    def when_gone(self, call: Callable[[object], None]) -> None:
        self._final.add_done_callback(lambda done: call(done) if done.cancelled() else None)

    async def results(self) -> AsyncGenerator[Result]:
        yield await self._final

    def cancel(self) -> None:
        self._final.cancel()


async def _final(fill: Fill) -> Final:
    async for result in fill.results():
        if isinstance(result, Final):
            return result
    raise MidfillError("the engine stopped without an answer")


def _alternative(final: Final, number: int) -> Final:
    """One of a fill's texts as a fill of its own; the first again where there are too few."""
    texts = (final.text, *final.alternatives)
    if number == 0 or number >= len(texts):
        return final.model_copy(update={"alternatives": ()})
    return final.model_copy(
        update={
            "text": texts[number],
            "alternatives": (),
            "log_probabilities": (),
            "tokens": estimated_tokens(texts[number]),
        }
    )
