"""One running request per document: a newer one stops the older."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Coroutine

T = TypeVar("T")


class NewestOnly:
    """Runs one piece of work per key at a time, always the newest."""

    def __init__(self) -> None:
        self._running: dict[str, asyncio.Task[Any]] = {}

    async def run(self, key: str, work: Coroutine[Any, Any, T]) -> T | None:
        """Do ``work`` in place of what runs for ``key`` now.

        Returns:
            What the work returns, or None if it was stopped.

        Raises:
            CancelledError: the caller was cancelled; so is the work.
        """
        self.stop(key)
        task = asyncio.create_task(work)
        self._running[key] = task
        try:
            return await task
        except asyncio.CancelledError:
            if _cancelled_ourselves():
                raise
            return None
        finally:
            if self._running.get(key) is task:
                del self._running[key]

    def stop(self, key: str) -> None:
        """Stop what runs for ``key``, if anything."""
        if task := self._running.get(key):
            task.cancel()


def _cancelled_ourselves() -> bool:
    """Whether the running task was cancelled, rather than what it waits for."""
    current = asyncio.current_task()
    return current is not None and current.cancelling() > 0
