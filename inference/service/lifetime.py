"""When the engine gives back its memory, and when it goes."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from midfill.inference.service.presence import Presence
    from midfill.inference.service.worker import Worker

IDLE_AFTER = 600.0
"""Seconds without a request after which the model is unloaded."""

GRACE = 60.0
"""Seconds without anybody connected after which an engine that was started on demand stops."""


async def unload_when_idle(worker: Worker, idle_after: float) -> None:
    """For ever: unload the model whenever there was nothing to do for so many seconds."""
    while True:
        await asyncio.sleep(max(idle_after - worker.quiet_for(), idle_after / 10))
        if worker.quiet_for() >= idle_after:
            worker.unload()
            while worker.quiet_for() >= idle_after:
                await asyncio.sleep(idle_after / 10)


async def stop_when_alone(presence: Presence, grace: float, stop: Callable[[], None]) -> None:
    """Call ``stop`` as soon as nobody was connected for ``grace`` seconds."""
    while (alone_for := presence.alone_for()) < grace:
        await asyncio.sleep(max(grace - alone_for, grace / 10))
    stop()
