"""Clients that send or read slowly, or too much, cost nobody else anything."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from typing import TYPE_CHECKING

import httpx
import pytest
from serving import CANARY, eventually, post
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from stepping_engine import SteppingEngine
from team_server import team_server

from midfill.inference.errors import MidfillError
from midfill.inference.service import body_guard, connections, server
from midfill.inference.service.body_guard import BodyGuard
from midfill.inference.service.refusing import refusal

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable
    from pathlib import Path

    from starlette.types import Message, Receive, Scope, Send

GOOD = {"prefix": "def f():\n    return "}
HEAD = b"POST /v1/infill HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer alpha\r\n"


async def length(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers how many bytes came."""
    try:
        body = await Request(scope, receive).body()
        await PlainTextResponse(str(len(body)))(scope, receive, send)
    except MidfillError as error:
        await refusal("/v1/infill", error)(scope, receive, send)


async def ask(guard: BodyGuard, pieces: Iterable[bytes], pause: float = 0.0) -> httpx.Response:
    async def slowly() -> AsyncIterator[bytes]:
        for piece in pieces:
            await asyncio.sleep(pause)
            yield piece

    transport = httpx.ASGITransport(guard)
    async with httpx.AsyncClient(transport=transport, base_url="http://x") as http:
        return await http.post("/", content=slowly())


async def test_a_body_up_to_the_limit_comes_through_whole() -> None:
    guard = BodyGuard(length, limit=1000)
    assert (await ask(guard, [b"x" * 400, b"y" * 600])).text == "1000"
    assert (await ask(guard, [])).text == "0"


@pytest.mark.parametrize("size", [1001, 3999, 100_000])
async def test_a_body_over_the_limit_is_refused(size: int) -> None:
    taken = 0

    def pieces() -> Iterable[bytes]:
        nonlocal taken
        for _ in range(0, size, 100):
            taken += 100
            yield b"x" * 100

    answer = await ask(BodyGuard(length, limit=1000), pieces())

    assert answer.status_code == 413
    assert answer.json()["code"] == "too-large"
    assert taken <= max(size + 100, 4200)
    assert taken <= 4200 or size < 4200


async def test_a_body_that_pauses_is_given_up() -> None:
    guard = BodyGuard(length, piece_seconds=0.05)
    assert (await ask(guard, [b"x", b"y"], pause=0.2)).status_code == 408


async def test_a_body_that_never_ends_is_given_up() -> None:
    guard = BodyGuard(length, piece_seconds=5.0, body_seconds=0.2)
    began = time.monotonic()

    answer = await ask(guard, [b"x"] * 1000, pause=0.02)

    assert answer.status_code == 408
    assert time.monotonic() - began < 5.0


async def test_a_client_may_wait_for_its_answer_longer_than_its_body_may_take() -> None:
    async def receive() -> Message:
        await asyncio.sleep(0.3)
        return {"type": "http.disconnect"}

    body = body_guard._Body(receive, 10, 0.05, time.monotonic() + 0.05)
    body._comes = False

    assert (await body())["type"] == "http.disconnect"


async def closed_after(port: int, *pieces: bytes) -> float:
    """Seconds from the last piece until the server closes the connection; 5 if it does not."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for piece in pieces:
        writer.write(piece)
        await writer.drain()
        await asyncio.sleep(0.02)
    began = time.monotonic()
    try:
        async with asyncio.timeout(5):
            while await reader.read(65536):
                pass
    except (TimeoutError, ConnectionError):
        pass
    writer.close()
    return time.monotonic() - began


@pytest.mark.parametrize(
    "pieces",
    [
        (),
        (b"POST",),
        (HEAD,),
        (HEAD + b"Content-Length: 0\r\n\r\n", b"POST /v1/in"),
    ],
    ids=["nothing", "a word", "no end of head", "a second head"],
)
async def test_a_head_that_does_not_come_is_not_waited_for(
    pieces: tuple[bytes, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "HEAD_SECONDS", 0.3)
    async with team_server(SteppingEngine(), tmp_path) as team:
        assert await closed_after(team.port, *pieces) < 2.0
        assert (await post(team.service.http, GOOD))[0] == 200


async def test_a_body_that_trickles_in_is_answered_and_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        body_guard.BodyGuard.__init__,
        "__kwdefaults__",
        {
            "piece_seconds": 0.3,
            "body_seconds": 1.0,
        },
    )
    async with team_server(SteppingEngine(), tmp_path) as team:
        reader, writer = await asyncio.open_connection("127.0.0.1", team.port)
        writer.write(HEAD + b"Content-Length: 1000\r\n\r\n{")
        answer = await asyncio.wait_for(reader.readuntil(b"\r\n"), 5)
        writer.close()

    assert b" 408 " in answer


async def test_who_reads_nothing_holds_neither_the_engine_nor_a_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "STALL_SECONDS", 0.3)
    engine = SteppingEngine(steps=4000, step_seconds=0.0)
    body = json.dumps({"prefix": CANARY}).encode()
    limits = server.ServiceLimits(places=2)
    async with team_server(engine, tmp_path, limits=limits) as team:
        stuck = []
        for _ in range(2):
            reader, writer = await asyncio.open_connection("127.0.0.1", team.port, limit=1)
            sock = writer.get_extra_info("socket")
            sock.setsockopt(1, 8, 1024)  # SO_RCVBUF
            reader._transport.pause_reading()  # type: ignore[attr-defined]
            writer.write(HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body)
            stuck.append(writer)
        await eventually(lambda: len(engine.filled) == 2)

        async def answered() -> bool:
            return (await post(team.service.http, GOOD))[0] == 200

        give_up_at = time.monotonic() + 10
        while not await answered():
            assert time.monotonic() < give_up_at
            await asyncio.sleep(0.05)
        for writer in stuck:
            writer.transport.abort()


async def test_connections_that_say_nothing_make_room_for_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "CONNECTIONS", 5)
    async with team_server(SteppingEngine(), tmp_path) as team:
        open_ones = [await asyncio.open_connection("127.0.0.1", team.port) for _ in range(30)]
        gone = [asyncio.create_task(reader.read()) for reader, _ in open_ones]
        assert (await post(team.service.http, GOOD))[0] == 200
        await eventually(lambda: sum(task.done() for task in gone) >= 26)
        kept = [task for task in gone if not task.done()]
        for task in gone:
            task.cancel()
        for _, writer in open_ones:
            writer.close()

    assert kept == gone[-len(kept) :]


async def test_connections_that_are_answered_are_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "CONNECTIONS", 5)
    async with team_server(SteppingEngine(), tmp_path) as team:
        busy = HEAD.replace(b"POST /v1/infill", b"GET /v1/events") + b"\r\n"
        open_ones = []
        for _ in range(30):
            reader, writer = await asyncio.open_connection("127.0.0.1", team.port)
            writer.write(busy)
            open_ones.append((reader, writer))
            with contextlib.suppress(ConnectionError, TimeoutError):
                await asyncio.wait_for(reader.read(12), 2)
        gone = [asyncio.create_task(reader.read()) for reader, _ in open_ones]
        await eventually(lambda: sum(task.done() for task in gone) >= 20)
        kept = [task for task in gone if not task.done()]
        for task in gone:
            task.cancel()
        for _, writer in open_ones:
            writer.close()
        give_up_at = time.monotonic() + 5
        while (await _status(team.service.http)) != 200:
            assert time.monotonic() < give_up_at
            await asyncio.sleep(0.05)

    assert len(kept) == 4


async def test_what_comes_after_a_refusal_is_not_listened_to_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "HEAD_SECONDS", 0.3)
    async with team_server(SteppingEngine(), tmp_path) as team:
        reader, writer = await asyncio.open_connection("127.0.0.1", team.port)
        writer.write(HEAD.replace(b"alpha", b"wrong") + b"Content-Length: 100000\r\n\r\n")
        answer = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
        began = time.monotonic()
        with contextlib.suppress(ConnectionError):
            while time.monotonic() < began + 5:
                writer.write(b"x")
                await writer.drain()
                await asyncio.sleep(0.02)
        writer.close()

    assert b" 401 " in answer
    assert time.monotonic() - began < 3


async def _status(http: httpx.AsyncClient) -> int:
    try:
        return (await http.get("/health")).status_code
    except httpx.TransportError:
        return 0
