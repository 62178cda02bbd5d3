"""Engines that are killed while they answer: nobody takes a part for the whole."""

from __future__ import annotations

import asyncio
import json
import random
import time
from typing import TYPE_CHECKING

import httpx
import psutil
from echo_service import start_at_socket
from soaking import times

from midfill.inference.errors import EngineUnavailable
from midfill.inference.transport import async_client
from midfill.inference.wire import Draft, Final, InfillRequest, Limits
from midfill.lsp.engine_client import EngineClient

if TYPE_CHECKING:
    from pathlib import Path

    from echo_service import EchoService

KILLS = times(10, 100)
LONG = "total = count * price  # a line that is long enough to be torn apart" * 40
ENDLESS = InfillRequest(prefix=LONG, limits=Limits(tokens=512))
FOREIGN = {
    "/v1/completions": {"prompt": LONG, "suffix": "\n", "max_tokens": 500},
    "/v1/fim/completions": {"prompt": LONG, "suffix": "\n", "max_tokens": 500, "stream": True},
    "/infill": {"input_prefix": LONG, "input_suffix": "\n", "n_predict": 500},
    "/api/generate": {
        "model": "m",
        "prompt": LONG,
        "suffix": "\n",
        "stream": True,
        "options": {"num_predict": 500},
    },
}
"""All of them take the echoing engine far longer than it lives."""


async def infill_until_the_end(service: EchoService, begun: asyncio.Event) -> str:
    """How Midfill's own client sees a stream end."""
    engine = EngineClient(service.address)
    try:
        async for result in engine.infill(ENDLESS):
            assert isinstance(result, Draft | Final)
            if isinstance(result, Final):
                return "final"
            assert result.text == LONG
            begun.set()
    except EngineUnavailable as error:
        return "one line" if "\n" not in str(error) else "many lines"
    finally:
        await engine.aclose()
    return "silence"


async def foreign_until_the_end(service: EchoService, path: str) -> str:
    """How a client of another interface sees it; whatever came is whole lines or known as cut."""
    came = b""
    async with async_client(service.address, httpx.Timeout(20)) as http:
        try:
            async with http.stream("POST", path, json=FOREIGN[path]) as response:
                async for piece in response.aiter_bytes():
                    came += piece
        except httpx.TransportError:
            return "cut"
    for line in came.splitlines():
        json.loads(line.removeprefix(b"data: ") or b"null")
    return "whole"


async def kill_in_the_middle(service: EchoService, pause: float) -> list[str]:
    """What all clients saw."""
    begun = asyncio.Event()
    asking = [
        asyncio.create_task(infill_until_the_end(service, begun)),
        *(asyncio.create_task(foreign_until_the_end(service, path)) for path in FOREIGN),
    ]
    async with asyncio.timeout(20):
        await begun.wait()
    await asyncio.sleep(pause)
    service.process.kill()
    async with asyncio.timeout(20):
        return await asyncio.gather(*asking)


async def test_a_killed_engine_is_seen_as_such_and_the_next_takes_its_place(
    short_folder: Path,
) -> None:
    chance = random.Random(7)
    seen = []
    slowest = 0.0
    for _ in range(KILLS):
        began = time.monotonic()
        service = start_at_socket(short_folder)
        try:
            service.wait()
            slowest = max(slowest, time.monotonic() - began)
            seen.append(await kill_in_the_middle(service, chance.uniform(0, 0.05)))
        finally:
            service.end()

    assert seen == [["one line", *("cut" for _ in FOREIGN)]] * KILLS
    left = {path.name for path in short_folder.rglob("*")}
    assert left == {"tmp", "log", "e.sock", "e.sock.lock"}
    assert not [it for it in psutil.Process().children() if it.status() == psutil.STATUS_ZOMBIE]
    assert "Traceback" not in service.log.read_text()
    print(f"{KILLS} kills; the slowest start took {slowest:.2f} s")


async def test_the_last_one_ends_in_good_order_and_takes_its_socket_along(
    short_folder: Path,
) -> None:
    service = start_at_socket(short_folder)
    try:
        service.wait()
        engine = EngineClient(service.address)
        short = ENDLESS.model_copy(update={"limits": Limits(tokens=2)})
        results = [result async for result in engine.infill(short)]
        await engine.aclose()
        service.process.terminate()
        status = await asyncio.to_thread(service.process.wait, 20)
    finally:
        service.end()

    assert isinstance(results[-1], Final)
    assert status == 0
    assert not (short_folder / "e.sock").exists()
