"""A source of fills that goes wrong as a test wants it, and a snapshot to fill."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from lsprotocol import types

from midfill.inference.wire import Draft, Final, Health, InfillRequest, Stop
from midfill.lsp.manners import Manners
from midfill.lsp.snapshot import Snapshot

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

NOTHING = types.InlineCompletionList([])
AT_ONCE = Manners(delay=0)


class FaultySource:
    """A source that hangs, fails or is not ready, as a test wants it."""

    def __init__(self) -> None:
        self.ready = True
        self.asked_to_load = 0
        self.calls = 0
        self.closed = 0
        self.let_go = asyncio.Event()
        self.let_go.set()
        self.failure: Exception | None = None
        self.confidence = 1.0
        self.text = "1"
        self.stop = Stop.LINE_END
        self.health: Health | None = None

    async def infill(self, request: InfillRequest) -> AsyncGenerator[Draft | Final, None]:
        self.calls += 1
        try:
            yield Draft(text="")
            await self.let_go.wait()
            if self.failure:
                raise self.failure
            yield Final(
                text=self.text,
                confidence=self.confidence,
                stop=self.stop,
                model="embedded",
                tokens=1,
                steps=1,
            )
        finally:
            self.closed += 1

    def ask_to_load(self) -> None:
        self.asked_to_load += 1


def snapshot(text: str = "x = ", uri: str = "file:///a.py") -> Snapshot:
    cursor = types.Position(0, len(text))
    return Snapshot(
        uri=uri,
        version=1,
        language="python",
        text=text,
        start=len(text),
        end=len(text),
        selected="",
        range=types.Range(cursor, cursor),
        invoked=False,
    )
