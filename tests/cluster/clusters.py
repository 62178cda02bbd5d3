"""A cluster of counting engines on a loopback port, and a client's view of it."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import httpx
from counting_engine import CountingEngine
from ray import serve

from midfill.inference.cluster.application import AFFINITY, build
from midfill.inference.cluster.settings import ClusterSettings
from midfill.inference.server_sent_events import Event, EventReader
from midfill.inference.wire import Final

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

APPLICATION = "midfill"
TOKENS = "ann alpha\nbob beta\n"


@dataclass
class Cluster:
    """A running application.

    Attributes:
        http: a client with Ann's token.
        settings: as deployed.
        folder: where the engines' journal is.
    """

    http: httpx.AsyncClient
    settings: ClusterSettings
    folder: Path

    async def ask(self, prefix: str, **fields: object) -> Answer:
        """Ask for a fill as Ann, or as the owner of a given ``token``."""
        headers = {"Authorization": f"Bearer {fields.pop('token', 'alpha')}"}
        began = time.monotonic()
        response = await self.http.post(
            "/v1/infill", json={"prefix": prefix, **fields}, headers=headers
        )
        events = EventReader().feed(response.content) if response.status_code == 200 else []
        return Answer(response, events, time.monotonic() - began)

    def redeploy(self, **engine: object) -> None:
        """Replace every replica while requests come; returns when that is done."""
        run(self.settings, self.folder, **engine)


@dataclass(frozen=True)
class Answer:
    response: httpx.Response
    events: list[Event]
    seconds: float

    @property
    def final(self) -> Final:
        assert self.events, (self.response.status_code, self.response.text)
        assert self.events[-1].name == "final", self.events
        return Final.model_validate_json(self.events[-1].data)

    @property
    def replica(self) -> int:
        """The process that gave the answer."""
        return int(self.final.model)


def run(
    settings: ClusterSettings, folder: Path, *, router: str | None = AFFINITY, **engine: object
) -> None:
    """Deploy, and wait until all of it runs."""
    make_engine: Callable[[], CountingEngine] = partial(CountingEngine, journal=folder, **engine)  # type: ignore[arg-type]
    serve.run(build(settings, make_engine, router=router), name=APPLICATION, route_prefix="/")


@asynccontextmanager
async def cluster(
    folder: Path,
    port: int,
    *,
    router: str | None = AFFINITY,
    replicas: int = 2,
    engine: dict[str, Any] | None = None,
    **settings: object,
) -> AsyncIterator[Cluster]:
    """Two replicas of the counting engine behind the proxy, for as long as the block lasts."""
    tokens = folder / "tokens"
    tokens.write_text(TOKENS)
    usual = {
        "num_cpus": 0.2,
        "min_replicas": replicas,
        "max_replicas": replicas,
        "per_minute": 0,
        "health_period": 1.0,
        "health_timeout": 3.0,
        "drain_within": 10.0,
    }
    chosen = ClusterSettings.model_validate({"token_file": tokens} | usual | settings)
    await asyncio.to_thread(run, chosen, folder, router=router, **(engine or {}))
    http = httpx.AsyncClient(
        base_url=f"http://127.0.0.1:{port}",
        headers={"Authorization": "Bearer alpha"},
        timeout=60.0,
        limits=httpx.Limits(max_connections=200),
    )
    try:
        yield Cluster(http, chosen, folder)
    finally:
        await http.aclose()
        await asyncio.to_thread(serve.delete, APPLICATION)


async def eventually(true: Callable[[], object], within: float = 30.0) -> None:
    """Wait until something holds; fail when it does not in time."""
    give_up_at = time.monotonic() + within
    while not true():
        assert time.monotonic() < give_up_at, "it did not happen"
        await asyncio.sleep(0.02)
