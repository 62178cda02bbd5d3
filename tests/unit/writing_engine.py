"""An engine that writes a given text, some characters a step, and alternatives of it."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from stepping_engine import SteppingEngine

from midfill.inference.errors import Cancelled
from midfill.inference.wire import CacheFigures, Draft, Final, Milliseconds, Stop

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from midfill.inference.wire import InfillRequest


class WritingEngine(SteppingEngine):
    """Writes ``text``, then as many of ``alternatives`` as are asked for.

    Attributes:
        asked: the requests it has begun.
        cancelled: how many of them nobody wanted any more.
        going: while it is not set, the engine waits behind the first step.
    """

    def __init__(
        self,
        text: str,
        *alternatives: str,
        stop: Stop = Stop.SUFFIX,
        model: str = "embedded",
        characters: int = 4,
        step_seconds: float = 0.0,
    ) -> None:
        super().__init__(step_seconds=step_seconds)
        self.model = model
        self.text = text
        self.alternatives = alternatives
        self.stop = stop
        self.characters = characters
        self.asked: list[InfillRequest] = []
        self.cancelled = 0
        self.going = threading.Event()
        self.going.set()

    def infill(
        self, request: InfillRequest, cancelled: Callable[[], bool], caller: str
    ) -> Iterator[Draft | Final]:
        self.asked.append(request)
        ends = range(self.characters, len(self.text), self.characters)
        for step, end in enumerate(ends, 1):
            yield Draft(text=self.text[:end], step=step)
            time.sleep(self.step_seconds)
            while not self.going.wait(0.01) and not cancelled():
                pass
            if cancelled():
                self.cancelled += 1
                raise Cancelled("the request was cancelled")
        steps = len(ends) + 1
        yield Final(
            text=self.text,
            alternatives=self.alternatives[: request.n - 1],
            confidence=0.5,
            log_probabilities=(-0.25, -0.5),
            stop=self.stop,
            model=self.model,
            tokens=7,
            steps=steps,
            ms=Milliseconds(encode=10.0, denoise=20.0, total=30.0),
            cache=CacheFigures(hit_tokens=100, new_tokens=20),
        )
