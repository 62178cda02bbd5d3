"""The engine that costs nothing speaks the protocol of a real one."""

from __future__ import annotations

import asyncio
import json
from contextlib import aclosing
from typing import TYPE_CHECKING

import pytest

from midfill.inference.measuring.language_server.instant_engine import MODEL
from midfill.inference.measuring.language_server.session import ENGINE
from midfill.inference.transport import engine_address
from midfill.inference.version import version
from midfill.inference.wire import Final, InfillRequest
from midfill.lsp.engine_client import EngineClient

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


@pytest.fixture
async def engine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[asyncio.subprocess.Process]:
    monkeypatch.setenv("MIDFILL_RUNTIME_DIR", str(tmp_path / "run"))
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*ENGINE, stdin=pipe, stdout=pipe)
    assert process.stdout
    assert process.stdin
    assert json.loads(await process.stdout.readline()) == "listening"
    yield process
    process.stdin.close()
    assert await asyncio.wait_for(process.wait(), 10) == 0


async def filled(client: EngineClient, prefix: str) -> str:
    async with aclosing(client.infill(InfillRequest(prefix=prefix))) as results:
        [final] = [result async for result in results]
    assert isinstance(final, Final)
    return final.text


async def test_it_fills_at_once_and_tells_when(engine: asyncio.subprocess.Process) -> None:
    client = EngineClient(engine_address(MODEL))
    health = await client.health()
    assert (health.version, health.state, health.pid) == (version(), "ready", engine.pid)
    first = await filled(client, "def f():\n    ")
    second = await filled(client, "def f():\n    a")
    assert first.startswith("counted_total = ")
    assert second.startswith(" = ")
    await client.aclose()
    assert engine.stdout
    began, ended = json.loads(await engine.stdout.readline())
    assert 0 < ended - began < 5


async def test_it_says_that_it_is_there_until_the_client_goes(
    engine: asyncio.subprocess.Process,
) -> None:
    client = EngineClient(engine_address(MODEL))
    async with aclosing(client.events()) as events:
        assert (await anext(events)).state == "ready"
        assert await filled(client, "a")
    await client.aclose()
