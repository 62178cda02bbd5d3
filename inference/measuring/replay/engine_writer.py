"""Midfill's own engine as one that is measured."""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING, Protocol

from midfill.inference.measuring.replay.writer import Written
from midfill.inference.wire import Final

if TYPE_CHECKING:
    from collections.abc import Iterator

    from midfill.inference.wire import Draft, InfillRequest

OURS = "midfill"


class Fills(Protocol):
    """The part of an `Engine` that is measured."""

    def infill(self, request: InfillRequest) -> Iterator[Draft | Final]: ...

    def encode_ahead(self) -> bool: ...

    def forget(self) -> None: ...

    def unload(self) -> None: ...


class EngineWriter:
    """A `WriterWithPauses`: everything from the request to the final text, in this process."""

    def __init__(self, engine: Fills, name: str = OURS, about: str = "") -> None:
        self.name = name
        self.about = about
        self._engine = engine

    def new_document(self) -> None:
        self._engine.forget()

    def write(self, request: InfillRequest) -> Written:
        started = perf_counter()
        final = None
        for event in self._engine.infill(request):
            if isinstance(event, Final):
                final = event
        seconds = perf_counter() - started
        assert final is not None
        ms = final.ms
        told = {"read and first step": ms.encode, "further steps": ms.denoise}
        return Written(
            final.text,
            seconds,
            final.tokens,
            final.steps,
            {**told, "around": max(0.0, 1e3 * seconds - ms.encode - ms.denoise - ms.load)},
            final.cache.new_tokens,
            final.step_tokens,
        )

    def pause(self, seconds: float) -> None:
        end = perf_counter() + seconds
        while perf_counter() < end and self._engine.encode_ahead():
            pass

    def close(self) -> None:
        self._engine.unload()
