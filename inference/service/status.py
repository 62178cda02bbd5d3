"""What the engine is doing, told to whoever watches. Lives on the event loop."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

from midfill.inference.wire import EngineState, Health

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class Status:
    """The engine's present `Health`."""

    def __init__(self, *, version: str, model: str) -> None:
        self._health = Health(
            version=version, model=model, state=EngineState.LOADING, pid=os.getpid()
        )
        self._changed = asyncio.Event()
        self._closed = False

    @property
    def health(self) -> Health:
        return self._health

    def set(self, state: EngineState, detail: str = "", fraction: float | None = None) -> None:
        """Tell a new state. An engine that drains says so until its end."""
        if self._health.state is EngineState.DRAINING:
            state, detail, fraction = EngineState.DRAINING, "", None
        changed = self._health.model_copy(
            update={"state": state, "detail": detail, "fraction": fraction}
        )
        if changed != self._health:
            self._health = changed
            self._wake()

    def close(self) -> None:
        """Nothing more will be told."""
        self._closed = True
        self._wake()

    async def watch(self) -> AsyncIterator[Health]:
        """The present state, then every change; a slow watcher skips to the newest."""
        told: Health | None = None
        while True:
            changed = self._changed
            if told is not self._health:
                told = self._health
                yield told
            elif self._closed:
                return
            else:
                await changed.wait()

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()
