"""An engine that does nothing but keep contexts, count what it finds in them, and take its time."""

from __future__ import annotations

import os
import time
from collections import OrderedDict
from typing import TYPE_CHECKING

from midfill.inference.errors import Cancelled
from midfill.inference.wire import CacheFigures, Draft, Final, Stop

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from midfill.inference.progress import ProgressListener
    from midfill.inference.wire import InfillRequest

HANGS = "hangs"
"""The language of a request on which the engine stops, while the journal says that it shall."""


class CountingEngine:
    """Every character is a token. Its name is its process's id, so that answers tell who gave them.

    Args:
        steps: of a fill.
        step_seconds: of a step.
        contexts: that it keeps; the one that was not used for longest is dropped.
        journal: a folder where it notes each fill that was cancelled.
        name: stands in every answer.
    """

    fills_at_once = 4

    def __init__(
        self,
        *,
        steps: int = 2,
        step_seconds: float = 0.0,
        contexts: int = 3,
        journal: Path | None = None,
        name: str = "",
    ) -> None:
        self.model = str(os.getpid())
        self.loaded = False
        self._steps = steps
        self._step_seconds = step_seconds
        self._contexts = contexts
        self._journal = journal
        self._name = name
        self._kept: OrderedDict[str, str] = OrderedDict()

    def load(self, listener: ProgressListener) -> None:
        self.loaded = True

    def encode_ahead(self) -> bool:
        return False

    def unload(self) -> None:
        self.loaded = False

    def forget(self, caller: str) -> None:
        self._kept = OrderedDict(it for it in self._kept.items() if it[1] != caller)

    def infill(
        self, request: InfillRequest, cancelled: Callable[[], bool], caller: str
    ) -> Iterator[Draft | Final]:
        cache = self._find(request.prefix, caller)
        text = self._name or f"after {request.prefix[-8:]}"
        try:
            for step in range(1, self._steps + 1):
                if cancelled():
                    raise Cancelled("the request was cancelled")
                while request.language == HANGS and self._hangs():
                    time.sleep(0.05)
                time.sleep(self._step_seconds)
                yield Draft(text=text[:step], step=step)
        except (Cancelled, GeneratorExit):
            if self._journal:
                (self._journal / f"cancelled-{request.document}-{step}").touch()
            raise
        yield Final(
            text=text,
            confidence=1.0,
            stop=Stop.LINE_END,
            model=self.model,
            tokens=len(text),
            steps=self._steps,
            cache=cache,
        )

    def _hangs(self) -> bool:
        return self._journal is not None and (self._journal / f"hang-{self.model}").exists()

    def _find(self, prefix: str, caller: str) -> CacheFigures:
        best = max(self._kept, key=lambda kept: _shared(kept, prefix), default="")
        shared = _shared(best, prefix)
        if 2 * shared >= len(best):
            self._kept.pop(best, None)
        self._kept[prefix] = caller
        while len(self._kept) > self._contexts:
            self._kept.popitem(last=False)
        return CacheFigures(hit_tokens=shared, new_tokens=len(prefix) - shared)


def _shared(one: str, other: str) -> int:
    pairs = enumerate(zip(one, other, strict=False))
    return next((index for index, (a, b) in pairs if a != b), min(len(one), len(other)))
