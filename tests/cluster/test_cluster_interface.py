"""Through Serve's proxy the interface is the engine's own."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from clusters import cluster, eventually

from midfill.inference.server_sent_events import EventReader
from midfill.inference.wire import EngineState, Health

if TYPE_CHECKING:
    from pathlib import Path

    import httpx

STEP = 0.2


async def test_streams_cancels_and_guards_as_one_engine_does(tmp_path: Path, proxy: int) -> None:
    """One deployment for all of it: each takes several seconds."""
    async with cluster(tmp_path, proxy, engine={"steps": 40, "step_seconds": STEP / 10}) as running:
        await _drafts_arrive_one_by_one(running.http)
        await _leaving_stops_the_fill(running.http, tmp_path)
        await _only_those_with_a_token_may_ask(running.http)
        await _a_watcher_is_told_the_state(running.http)
        await _figures_are_those_of_every_replica(running.http)
        await _other_tools_are_answered(running.http)
        forgotten = await running.http.post("/v1/forget")
        assert forgotten.status_code == 202


async def _drafts_arrive_one_by_one(http: httpx.AsyncClient) -> None:
    reader, arrived = EventReader(), []
    async with http.stream("POST", "/v1/infill", json={"prefix": "a = "}) as response:
        async for piece in response.aiter_raw():
            arrived += [(time.monotonic(), event.name) for event in reader.feed(piece)]
    names = [name for _, name in arrived]
    assert names == ["draft"] * 40 + ["final"]
    first, last = arrived[0][0], arrived[-1][0]
    assert last - first > 39 * STEP / 10 / 2


async def _leaving_stops_the_fill(http: httpx.AsyncClient, folder: Path) -> None:
    body = {"prefix": "a = ", "document": "left"}
    async with http.stream("POST", "/v1/infill", json=body) as response:
        async for _ in response.aiter_raw():
            break
    await eventually(lambda: list(folder.glob("cancelled-left-*")))
    [noted] = folder.glob("cancelled-left-*")
    assert int(noted.name.rpartition("-")[2]) < 40


async def _only_those_with_a_token_may_ask(http: httpx.AsyncClient) -> None:
    for token in ("", "Bearer wrong"):
        refused = await http.get("/health", headers={"Authorization": token})
        assert refused.status_code == 401
        assert refused.json()["code"] == "unauthorized"
    assert (await http.post("/v1/drain")).status_code == 403


async def _a_watcher_is_told_the_state(http: httpx.AsyncClient) -> None:
    reader = EventReader()
    async with http.stream("GET", "/v1/events") as response:
        async for piece in response.aiter_raw():
            if events := reader.feed(piece):
                break
    assert events[0].name == "status"
    assert Health.model_validate_json(events[0].data).state is EngineState.READY


async def _figures_are_those_of_every_replica(http: httpx.AsyncClient) -> None:
    figures = (await http.get("/metrics")).text
    assert 'midfill_model_state{replica="0",state="ready"} 1.0' in figures
    assert 'midfill_model_state{replica="1",state="ready"} 1.0' in figures


async def _other_tools_are_answered(http: httpx.AsyncClient) -> None:
    models = await http.get("/v1/models")
    assert models.json()["object"] == "list"
    body = {"model": "midfill", "prompt": "a = ", "suffix": "\n", "max_tokens": 8}
    completion = await http.post("/v1/completions", json=body)
    assert completion.status_code == 200
    assert completion.json()["choices"][0]["text"]
