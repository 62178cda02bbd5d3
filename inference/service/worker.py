"""The one thread that owns the engine, and the bounded queue in front of it."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import deque
from enum import Enum, auto
from typing import TYPE_CHECKING

from midfill.inference.errors import EngineBusy, MidfillError
from midfill.inference.failures import error_of, failure_of
from midfill.inference.wire import EngineState, Final
from midfill.inference.wire_prompt import ShownPrompt

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Iterator

    from midfill.inference.progress import Progress
    from midfill.inference.service.backend import Engine
    from midfill.inference.service.status import Status
    from midfill.inference.wire import Draft, Failure, InfillRequest

    Result = Draft | Final | ShownPrompt

log = logging.getLogger(__name__)

QUEUE_PLACES = 16
"""Requests that may wait or run at once; a language server has one each at a time."""

PAUSE_AFTER_FAILED_LOAD = 30.0
"""Seconds in which a keystroke does not set off another attempt to fetch or load the model."""


class Command(Enum):
    LOAD = auto()
    UNLOAD = auto()
    FORGET = auto()
    STOP = auto()


LAST = (Final, ShownPrompt)
"""What comes last of a request, whichever it is."""


def fill(engine: Engine, job: Job) -> Iterator[Result]:
    """Fill the request's hole."""
    yield from engine.infill(job.request, job.cancelled)


def show_prompt(engine: Engine, job: Job) -> Iterator[Result]:
    """Only tell what the model would be given."""
    yield engine.prompt(job.request)


class Job:
    """One request on its way through the worker. Its owner on the event loop reads `results`.

    Args:
        request: what it is about.
        work: what to do about it, in the worker's thread.
        leave: told when nobody waits for it any more.
    """

    def __init__(
        self,
        request: InfillRequest,
        work: Callable[[Engine, Job], Iterator[Result]],
        leave: Callable[[Job], None],
    ) -> None:
        self.request = request
        self.work = work
        self._leave = leave
        self._loop = asyncio.get_running_loop()
        self._results: asyncio.Queue[Result | MidfillError] = asyncio.Queue()
        self._cancelled = threading.Event()

    def cancelled(self) -> bool:
        return self._cancelled.is_set()

    def stop(self) -> None:
        """Have the engine stop before its next step."""
        self._cancelled.set()

    def cancel(self) -> None:
        """Nobody wants the rest: stop, and make room for others."""
        self.stop()
        self._leave(self)

    def tell(self, result: Result | MidfillError) -> None:
        """From the worker's thread: hand over what there is."""
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
                yield result
                if isinstance(result, LAST):
                    return
        finally:
            self.cancel()


class Worker:
    """Runs jobs one after another, first come first served.

    All methods but those of the thread itself are for the event loop.

    Args:
        make_engine: called in the thread, so that nobody waits for its imports.
        status: told every change of state.
        places: jobs that may wait or run at once.
        pause: seconds for which a failed load answers the requests that follow it.
    """

    def __init__(
        self,
        make_engine: Callable[[], Engine],
        status: Status,
        *,
        places: int = QUEUE_PLACES,
        pause: float = PAUSE_AFTER_FAILED_LOAD,
    ) -> None:
        self._make_engine = make_engine
        self._status = status
        self._places = places
        self._pause = pause
        self._loop = asyncio.get_running_loop()
        self._inbox: deque[Job | Command] = deque([Command.LOAD])
        self._arrived = threading.Condition()
        self._jobs: set[Job] = set()
        self._quiet_since = time.monotonic()
        self._no_jobs = asyncio.Event()
        self._no_jobs.set()
        # A daemon: an engine stuck in a download or in native code must not keep the process alive.
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)
        # The thread's own:
        self._engine: Engine | None = None
        self._failed_load: tuple[float, Failure] | None = None

    def start(self) -> None:
        """Begin to work, with loading the model."""
        self._thread.start()

    def submit(
        self, request: InfillRequest, work: Callable[[Engine, Job], Iterator[Result]] = fill
    ) -> Job:
        """Queue a request, to be filled unless told otherwise.

        Raises:
            EngineBusy: the queue is full.
        """
        if len(self._jobs) >= self._places:
            raise EngineBusy("the engine has too many requests waiting: ask again in a moment")
        job = Job(request, work, self._leave)
        self._jobs.add(job)
        self._no_jobs.clear()
        self._put(job)
        return job

    def load(self) -> None:
        """Load the model unless it is loaded, or has just failed to load."""
        if Command.LOAD not in self._inbox:
            self._put(Command.LOAD)

    def unload(self) -> None:
        """Give back the model's memory unless there is work by then."""
        self._put(Command.UNLOAD)

    def forget(self) -> None:
        """Let go of every context, once what is queued already is done."""
        self._put(Command.FORGET)

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
        self._put(Command.STOP)
        self._thread.join(within)
        return not self._thread.is_alive()

    def _put(self, item: Job | Command) -> None:
        with self._arrived:
            self._inbox.append(item)
            self._arrived.notify()

    def _leave(self, job: Job) -> None:
        if job not in self._jobs:
            return
        self._jobs.remove(job)
        self._touch()
        if not self._jobs:
            self._no_jobs.set()
        with self._arrived:
            if job in self._inbox:
                self._inbox.remove(job)

    def _touch(self) -> None:
        self._quiet_since = time.monotonic()

    # In the thread from here on.

    def _run(self) -> None:
        while True:
            with self._arrived:
                while not self._inbox:
                    self._arrived.wait()
                item = self._inbox.popleft()
                alone = not self._inbox
            try:
                if item is Command.STOP:
                    return
                if item is Command.LOAD:
                    self._ready_engine()
                elif item is Command.UNLOAD:
                    if alone:
                        self._unload()
                elif item is Command.FORGET:
                    if self._engine:
                        self._engine.forget()
                elif isinstance(item, Job) and not item.cancelled():
                    self._answer(item)
            except RuntimeError:
                if self._loop.is_closed():
                    return
                raise
            except MidfillError:
                continue  # told and logged where it happened

    def _answer(self, job: Job) -> None:
        try:
            began = time.monotonic()
            engine = self._ready_engine()
            waited = 1e3 * (time.monotonic() - began)
            results = job.work(engine, job)
            try:
                for result in results:
                    if job.cancelled():
                        return
                    if isinstance(result, Final):
                        result = _with_load_time(result, waited)
                    job.tell(result)
                    if isinstance(result, LAST):
                        return
            finally:
                getattr(results, "close", lambda: None)()
            if not job.cancelled():
                job.tell(MidfillError("the engine stopped without an answer"))
        except BaseException as error:
            if not job.cancelled():
                job.tell(error_of(self._reported("a request failed", error)))

    def _ready_engine(self) -> Engine:
        """The engine, loaded.

        Raises:
            MidfillError: it cannot be loaded.
        """
        if self._engine is not None and self._engine.loaded:
            return self._engine
        if self._failed_load is not None:
            failed_at, failure = self._failed_load
            if time.monotonic() - failed_at < self._pause:
                raise error_of(failure)
        began = time.monotonic()
        self._tell(EngineState.LOADING)
        try:
            if self._engine is None:
                self._engine = self._make_engine()
            self._engine.load(self._tell_progress)
        except BaseException as error:
            failure = self._reported("loading the model failed", error)
            self._failed_load = time.monotonic(), failure
            self._tell(EngineState.FAILED, failure.message)
            raise error_of(failure) from error
        self._failed_load = None
        log.info("model loaded in %.1f s", time.monotonic() - began)
        self._loop.call_soon_threadsafe(self._touch)
        self._tell(EngineState.READY)
        return self._engine

    def _unload(self) -> None:
        if self._engine is None or not self._engine.loaded:
            return
        try:
            self._engine.unload()
        except BaseException as error:
            raise error_of(self._reported("unloading the model failed", error)) from error
        log.info("model unloaded")
        self._tell(EngineState.IDLE)

    def _tell(self, state: EngineState, detail: str = "", fraction: float | None = None) -> None:
        self._loop.call_soon_threadsafe(self._status.set, state, detail, fraction)

    def _tell_progress(self, progress: Progress) -> None:
        self._tell(EngineState.LOADING, progress.message, progress.fraction)

    @staticmethod
    def _reported(what: str, error: BaseException) -> Failure:
        """The error as those who asked may see it; the log has where it came from."""
        failure = failure_of(error)
        expected = isinstance(error, MidfillError)
        log.warning("%s: %s", what, failure.message, exc_info=None if expected else error)
        return failure


def _with_load_time(final: Final, milliseconds: float) -> Final:
    """The figures of a request that had to wait for the model."""
    ms = final.ms
    ms = ms.model_copy(update={"load": ms.load + milliseconds, "total": ms.total + milliseconds})
    return final.model_copy(update={"ms": ms})
