"""What the tests of the service share: a service in this process, and waiting for events."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import httpx

from midfill.inference.listening import Listener
from midfill.inference.server_sent_events import Event, EventReader
from midfill.inference.service.server import ServiceLimits, serve_until_stopped
from midfill.inference.transport import UnixAddress, async_client

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from stepping_engine import SteppingEngine

    from midfill.inference.service.access import Access
    from midfill.inference.transport import Address

CANARY = "c4n4ry_in_the_source"
"""Stands for somebody's source text; must not be found anywhere but in answers."""


@dataclass
class Service:
    """A running service, and an HTTP client for it."""

    address: Address
    http: httpx.AsyncClient
    task: asyncio.Task[bool]


@asynccontextmanager
async def serving(
    engine: SteppingEngine,
    folder: Path,
    limits: ServiceLimits | None = None,
    address: Address | None = None,
    access: Access | None = None,
    client_address: Address | None = None,
) -> AsyncIterator[Service]:
    """The service on this event loop, its model loaded, for as long as the block lasts."""
    address = address or UnixAddress(folder / "e.sock")
    listener = Listener(address)
    task = asyncio.create_task(
        serve_until_stopped(
            lambda: engine, engine.model, listener, limits or ServiceLimits(), access
        )
    )
    http = async_client(client_address or address, httpx.Timeout(10.0))
    try:
        await eventually(lambda: engine.loaded or engine.loads > 0)
        yield Service(client_address or address, http, task)
    finally:
        if access is not None and access.shared:
            task.cancel()  # nobody may end it by asking
        elif not task.done():
            await http.post("/v1/drain")
        await asyncio.wait({task}, timeout=10)
        assert task.done()
        await http.aclose()
        listener.close()


async def eventually(true: Callable[[], object], within: float = 10.0) -> None:
    """Wait until something holds; fail when it does not in time."""
    give_up_at = time.monotonic() + within
    while not true():
        assert time.monotonic() < give_up_at, "it did not happen"
        await asyncio.sleep(0.01)


async def post(http: httpx.AsyncClient, body: object) -> tuple[int, list[Event]]:
    """Ask for a fill; the HTTP status, and the events or the refusal as one nameless event."""
    sent = {"content": body} if isinstance(body, bytes) else {"json": body}
    response = await http.post("/v1/infill", **sent)  # type: ignore[arg-type]
    if response.status_code != httpx.codes.OK:
        return response.status_code, [Event("", response.content)]
    return response.status_code, EventReader().feed(response.content)
