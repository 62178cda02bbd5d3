"""An engine that does nothing but take its time and fail, as it is told to."""

from __future__ import annotations

import os
import signal
import threading
import time
from typing import TYPE_CHECKING

from midfill.inference.errors import Cancelled, MidfillError, WeightsMissing
from midfill.inference.progress import Progress
from midfill.inference.wire import Draft, Final, Stop

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from midfill.inference.progress import ProgressListener
    from midfill.inference.wire import InfillRequest


class SteppingEngine:
    """Takes ``steps`` steps of ``step_seconds`` each; ``request.language`` names a fault.

    Attributes:
        steps_done: over all requests.
        threads: the ids of all threads that ever called it.
        filled: the prefixes of the requests it began.
        happened: these, the prefix of each step's request, "forget" and "ahead", in order.
        loads: how often it was asked to load while unloaded.
        load_failures: so many of the next loads fail.
        forgotten: the callers whose text it was told to let go of.
        forgetting_fails: whether that fails.
        pieces_ahead: so many pieces of what comes next there are to encode, ``step_seconds`` each.
        encoding_ahead_fails: whether that fails.
    """

    def __init__(
        self,
        *,
        steps: int = 3,
        step_seconds: float = 0.01,
        load_seconds: float = 0.0,
        load_failures: int = 0,
        fills_at_once: int = 1,
    ) -> None:
        self.model = "stepping"
        self.fills_at_once = fills_at_once
        self.steps = steps
        self.step_seconds = step_seconds
        self.load_seconds = load_seconds
        self.load_failures = load_failures
        self.loaded = False
        self.steps_done = 0
        self.loads = 0
        self.unloads = 0
        self.forgotten: list[str] = []
        self.forgetting_fails = False
        self.pieces_ahead = 0
        self.encoding_ahead_fails = False
        self.threads: set[int] = set()
        self.filled: list[str] = []
        self.happened: list[str] = []

    def load(self, listener: ProgressListener) -> None:
        self.threads.add(threading.get_ident())
        if self.loaded:
            return
        self.loads += 1
        listener(Progress("reading the weights", 0.5))
        time.sleep(self.load_seconds)
        if self.load_failures:
            self.load_failures -= 1
            raise WeightsMissing("the weights are not here: pull them")
        self.loaded = True

    def forget(self, caller: str) -> None:
        self.threads.add(threading.get_ident())
        self.forgotten.append(caller)
        self.happened.append("forget")
        if self.forgetting_fails:
            raise RuntimeError("the device is lost")

    def encode_ahead(self) -> bool:
        self.threads.add(threading.get_ident())
        if self.encoding_ahead_fails:
            raise RuntimeError("the device is lost")
        if self.pieces_ahead:
            time.sleep(self.step_seconds)
            self.pieces_ahead -= 1
            self.happened.append("ahead")
        return bool(self.pieces_ahead)

    def unload(self) -> None:
        self.threads.add(threading.get_ident())
        self.unloads += 1
        self.loaded = False

    def infill(
        self, request: InfillRequest, cancelled: Callable[[], bool], caller: str
    ) -> Iterator[Draft | Final]:
        self.threads.add(threading.get_ident())
        self.filled.append(request.prefix)
        for step in range(1, self.steps + 1):
            if cancelled():
                raise Cancelled("the request was cancelled")
            time.sleep(self.step_seconds)
            self.steps_done += 1
            self.happened.append(request.prefix)
            yield Draft(text="x" * step, step=step)
            _fault(request)
        yield Final(
            text="x" * self.steps,
            confidence=1.0,
            stop=Stop.LINE_END,
            model=self.model,
            tokens=self.steps,
            steps=self.steps,
        )


def _fault(request: InfillRequest) -> None:
    match request.language:
        case "raise":
            raise RuntimeError(f"stumbled over {request.prefix}")
        case "raise-ours":
            raise MidfillError("the engine says so itself")
        case "memory":
            raise MemoryError
        case "torch-memory":
            raise RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory")
        case "exit":
            raise SystemExit(3)
        case "die":
            os.kill(os.getpid(), signal.SIGKILL)
