"""One engine of a cluster, without Ray: when it counts as started, and when as well."""

from __future__ import annotations

import asyncio
import json
from contextlib import aclosing, asynccontextmanager
from traceback import format_exception
from typing import TYPE_CHECKING

import pytest
from stepping_engine import SteppingEngine

from midfill.inference.cluster.asked import Asked
from midfill.inference.cluster.replica import EngineReplica
from midfill.inference.cluster.settings import ClusterSettings
from midfill.inference.errors import EngineUnavailable, MidfillError
from midfill.inference.server_sent_events import EventReader

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.types import Receive, Scope, Send

CANARY = "canary_of_the_source"
INFILL = Asked("POST", "/v1/infill", body=json.dumps({"prefix": "a"}).encode(), caller="ann")


@asynccontextmanager
async def replica(engine: SteppingEngine, **settings: object) -> AsyncIterator[EngineReplica]:
    """A replica, its constructor awaited as Serve does it."""
    made = EngineReplica.__new__(EngineReplica)
    chosen = ClusterSettings.model_validate({"token_file": "unread"} | settings)
    try:
        await made.__init__(chosen, lambda: engine)  # type: ignore[misc]
        yield made
    finally:
        made.__del__()


async def test_it_has_started_when_its_model_is_loaded_and_fills() -> None:
    engine = SteppingEngine(load_seconds=0.1)
    async with replica(engine) as made:
        assert engine.loaded
        body = b"".join([message.get("body", b"") async for message in made.answer(INFILL)])
        assert [event.name for event in EventReader().feed(body)] == ["draft"] * 3 + ["final"]
        assert (
            b'midfill_requests_total{route="/v1/infill",status="200"} 1.0' in await made.figures()
        )
        await made.check_health()


async def test_a_model_that_cannot_be_loaded_is_told_at_the_start() -> None:
    with pytest.raises(EngineUnavailable, match="could not be loaded"):
        async with replica(SteppingEngine(load_failures=9)):
            pytest.fail("it started")


async def test_a_model_that_takes_too_long_to_load_is_given_up() -> None:
    with pytest.raises(EngineUnavailable, match=r"not loaded within 0\.1 s"):
        async with replica(SteppingEngine(load_seconds=0.5), load_within=0.1):
            pytest.fail("it started")


async def test_an_engine_that_is_stuck_is_not_well() -> None:
    async with replica(SteppingEngine(steps=1, step_seconds=1.0), health_timeout=0.2) as made:
        with pytest.raises(MidfillError, match="no fill came"):
            await made.check_health()


async def test_an_engine_that_is_busy_with_others_is_well() -> None:
    engine = SteppingEngine(steps=100_000, step_seconds=0.005)
    async with replica(engine, health_timeout=0.5) as made:
        begun = asyncio.Event()
        reading = asyncio.create_task(_read(made, begun))
        await begun.wait()
        await made.check_health()
        assert not reading.done()
        reading.cancel()
        await asyncio.wait({reading})


async def _read(made: EngineReplica, begun: asyncio.Event) -> None:
    async with aclosing(made.answer(INFILL)) as messages:
        async for message in messages:
            if message.get("body"):
                begun.set()


async def test_an_error_that_serve_will_log_does_not_quote_any_text(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def failing(scope: Scope, receive: Receive, send: Send) -> None:
        raise ValueError(CANARY)

    async with replica(SteppingEngine()) as made:
        made._app = failing
        with pytest.raises(MidfillError) as raised:
            await anext(made.answer(INFILL))
    assert "ValueError" in caplog.text
    assert CANARY not in caplog.text + "".join(format_exception(raised.value))
