"""The one thread that owns the engine, and the bounded queue in front of it."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import deque
from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING

from midfill.inference.errors import EngineBusy, MidfillError, QueueFull
from midfill.inference.failures import error_of
from midfill.inference.service.engine_keeper import EngineKeeper, reported
from midfill.inference.service.fair_queue import FairQueue
from midfill.inference.service.job import LAST, Job, fill
from midfill.inference.shared_steps import SharedSteps, let_others
from midfill.inference.wire import EngineState, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from midfill.inference.service.backend import Engine
    from midfill.inference.service.job import Work
    from midfill.inference.service.status import Status
    from midfill.inference.wire import InfillRequest

log = logging.getLogger(__name__)

QUEUE_PLACES = 64
"""Requests that may wait or run at once; a language server has one each at a time."""

PLACES_EACH = 16
"""The same of one caller."""

PAUSE_AFTER_FAILED_LOAD = 30.0
"""Seconds in which a keystroke does not set off another attempt to fetch or load the model."""

QUIET_BEFORE = 0.2
"""Seconds without a request after which something is encoded ahead: who types asks again sooner."""

USUAL_SECONDS = 1.0
"""What a fill takes, until it is known."""


class Command(Enum):
    LOAD = auto()
    UNLOAD = auto()
    FORGET = auto()
    STOP = auto()


@dataclass(frozen=True, slots=True)
class _Order:
    """Something that is to be done beside jobs.

    Attributes:
        command: what.
        behind: the number of the last job that was queued before it.
        caller: whom it concerns, if not all.
    """

    command: Command
    behind: int = -1
    caller: str = ""


class Worker:
    """Runs as many jobs at once as the engine can, in turns between callers.

    All methods but those of the thread itself are for the event loop.

    Args:
        make_engine: called in the thread, so that nobody waits for its imports.
        status: told every change of state.
        places: jobs that may wait or run at once.
        places_each: the same of one caller.
        pause: seconds for which a failed load answers the requests that follow it.
    """

    def __init__(
        self,
        make_engine: Callable[[], Engine],
        status: Status,
        *,
        places: int = QUEUE_PLACES,
        places_each: int = PLACES_EACH,
        pause: float = PAUSE_AFTER_FAILED_LOAD,
    ) -> None:
        self._status = status
        self._places = places
        self._places_each = places_each
        self._loop = asyncio.get_running_loop()
        self._arrived = threading.Condition()
        self._orders: deque[_Order] = deque([_Order(Command.LOAD)])
        self._queue: FairQueue[Job] = FairQueue()
        self._last_number = -1
        self._jobs: set[Job] = set()
        self._quiet_since = time.monotonic()
        self._no_jobs = asyncio.Event()
        self._no_jobs.set()
        # A daemon: an engine stuck in a download or in native code must not keep the process alive.
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)
        # The thread's own:
        self._keeper = EngineKeeper(make_engine, self._tell, pause)
        self._steps = SharedSteps()
        self._taken: list[Job] = []
        self._fill_seconds = USUAL_SECONDS
        self._ahead_after: float | None = None

    def start(self) -> None:
        """Begin to work, with loading the model."""
        self._thread.start()

    def submit(self, request: InfillRequest, work: Work = fill, *, caller: str = "") -> Job:
        """Queue a request, to be filled unless told otherwise.

        Args:
            request: what it is about.
            work: what is done about it.
            caller: whose it is.

        Raises:
            QueueFull: there is no place for it; it knows when there may be one.
        """
        own = sum(job.caller == caller for job in self._jobs)
        if len(self._jobs) >= self._places or own >= self._places_each:
            full = QueueFull("the engine has too many requests waiting: ask again in a moment")
            full.retry_after = self._seconds_until(own)
            raise full
        job = Job(request, work, caller, self._leave)
        self._jobs.add(job)
        self._no_jobs.clear()
        with self._arrived:
            self._last_number = self._queue.add(job, caller, request.document)
            self._arrived.notify()
        return job

    @property
    def unfinished(self) -> int:
        """Jobs that wait or run."""
        return len(self._jobs)

    def load(self) -> None:
        """Load the model unless it is loaded, or has just failed to load."""
        with self._arrived:
            if not any(order.command is Command.LOAD for order in self._orders):
                self._put(Command.LOAD)

    def unload(self) -> None:
        """Give back the model's memory unless there is work by then."""
        self._put(Command.UNLOAD)

    def forget(self, caller: str = "") -> None:
        """Let go of what is kept of a caller's text, once what is queued already is done."""
        self._put(Command.FORGET, caller)

    def quiet_for(self) -> float:
        """Seconds since there was last anything to do; 0 while there is."""
        if self._jobs or self._status.health.state is EngineState.LOADING:
            return 0.0
        return time.monotonic() - self._quiet_since

    async def finish(self, within: float) -> None:
        """Wait until the present jobs are answered, at most ``within`` seconds."""
        try:
            await asyncio.wait_for(self._no_jobs.wait(), within)
        except TimeoutError:
            log.warning("gave up %d unfinished requests", len(self._jobs))
            self.abandon()

    def abandon(self) -> None:
        """Answer every present job with a refusal. Safe in a signal handler."""
        for job in tuple(self._jobs):
            job.tell(EngineBusy("the engine stops: ask again in a moment"))
            job.stop()

    def stop(self, within: float) -> bool:
        """Give up what is left and end the thread; whether it ended within that many seconds."""
        self.abandon()
        with self._arrived:
            self._orders.appendleft(_Order(Command.STOP))
            self._arrived.notify()
        self._thread.join(within)
        return not self._thread.is_alive()

    def _put(self, command: Command, caller: str = "") -> None:
        order = _Order(command, self._last_number, caller)
        with self._arrived:
            if order not in self._orders:
                self._orders.append(order)
                self._arrived.notify()

    def _leave(self, job: Job) -> None:
        if job not in self._jobs:
            return
        self._jobs.remove(job)
        self._touch()
        if not self._jobs:
            self._no_jobs.set()
        with self._arrived:
            self._queue.remove(job)
            self._arrived.notify()

    def _seconds_until(self, own: int) -> float:
        """When there may be a place again, going by how long fills take."""
        ahead = min(len(self._jobs), own) or len(self._jobs)
        return ahead * self._fill_seconds / self._keeper.fills_at_once

    def _touch(self) -> None:
        self._quiet_since = time.monotonic()

    # In the thread from here on.

    def _run(self) -> None:
        while True:
            with self._arrived:
                while (task := self._next()) is None and not len(self._steps):
                    if not self._arrived.wait(self._ahead_after):
                        break
            try:
                if isinstance(task, _Order):
                    if task.command is Command.STOP:
                        self._steps.stop()
                        return
                    self._obey(task)
                elif task is not None:
                    self._taken.append(task)
                    self._steps.begin(lambda job=task: self._answer(job), task.cancelled)  # type: ignore[misc]
                if task is None and not len(self._steps):
                    self._encode_ahead()
                else:
                    self._steps.advance()
            except MidfillError:
                continue  # told and logged where it happened
            except BaseException as error:
                if self._loop.is_closed():
                    return
                # Without this thread nobody would ever be answered again.
                failure = reported("the engine's thread stumbled", error)
                self._steps.stop(error_of(failure))
                for job in self._taken:  # those that had not begun
                    job.tell(error_of(failure))
                self._taken = []

    def _encode_ahead(self) -> None:
        self._ahead_after = None
        if self._keeper.encode_ahead():
            self._ahead_after = 0.0

    def _next(self) -> _Order | Job | None:
        """What can be begun now, beside the fills that run; None if nothing can."""
        last_before = None
        if self._orders:
            order = self._orders[0]
            last_before = order.behind
            if order.command in (Command.STOP, Command.LOAD) or (
                not len(self._steps) and not self._queue.holds_up_to(last_before)
            ):
                return self._orders.popleft()
        if len(self._steps) >= self._keeper.fills_at_once:
            return None
        return self._queue.take(self._running, last_before)

    def _running(self, caller: str) -> int:
        return sum(job.caller == caller for job in self._taken)

    def _obey(self, order: _Order) -> None:
        if order.command is Command.LOAD:
            self._keeper.ready()
        elif order.command is Command.FORGET:
            self._keeper.forget(order.caller)
        elif order.command is Command.UNLOAD and not len(self._queue):
            self._keeper.unload()

    def _answer(self, job: Job) -> None:
        began = time.monotonic()
        try:
            if job.cancelled():
                return
            engine = self._keeper.ready()
            loading = 1e3 * (time.monotonic() - began)
            job.count_waiting(self._keeper.ready_since)
            results = job.work(engine, job)
            try:
                for result in results:
                    if job.cancelled():
                        return
                    if isinstance(result, Final):
                        result = _with_load_time(result, loading)
                        self._note_fill(began)
                    job.tell(result)
                    if isinstance(result, LAST):
                        return
                    let_others()
            finally:
                getattr(results, "close", lambda: None)()
            if not job.cancelled():
                job.tell(MidfillError("the engine stopped without an answer"))
        except BaseException as error:
            if not job.cancelled():
                job.tell(error_of(reported("a request failed", error)))
        finally:
            self._ahead_after = QUIET_BEFORE
            self._taken = [taken for taken in self._taken if taken is not job]

    def _note_fill(self, began: float) -> None:
        self._fill_seconds += 0.1 * (time.monotonic() - began - self._fill_seconds)

    def _tell(self, state: EngineState, detail: str, fraction: float | None) -> None:
        if state is EngineState.READY:
            self._loop.call_soon_threadsafe(self._touch)
        self._loop.call_soon_threadsafe(self._status.set, state, detail, fraction)


def _with_load_time(final: Final, milliseconds: float) -> Final:
    """The figures of a request that had to wait for the model."""
    ms = final.ms
    ms = ms.model_copy(update={"load": ms.load + milliseconds, "total": ms.total + milliseconds})
    return final.model_copy(update={"ms": ms})
