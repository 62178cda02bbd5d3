"""Slow readers, slow senders, huge bodies and crowds that say nothing, before a whole server."""

from __future__ import annotations

import asyncio
import resource
import time
from typing import TYPE_CHECKING

import httpx
import pytest
from echo_service import team
from slow_clients import connected, head, read_slowly, send_slowly
from soaking import SOAKING

from midfill.inference.transport import async_client
from midfill.inference.wire import Final, InfillRequest, Limits
from midfill.lsp.engine_client import EngineClient

if TYPE_CHECKING:
    import socket
    from collections.abc import AsyncIterator, Iterator

    from echo_service import EchoService

PATIENCE = 10.0 if SOAKING else 2.0
"""Seconds that the server gives a slow client; usually ten."""

IN_TIME = 10.0
"""Seconds; what a fill may take unless its request says otherwise. It takes milliseconds here."""

REQUEST = InfillRequest(prefix="a = ", limits=Limits(tokens=2))
HUGE = 100 * 2**20
BODY_LIMIT = 8 * 2**20
CROWD = 1000


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EchoService]:
    folder = tmp_path_factory.mktemp("slow")
    with team(folder, "--rate", "0", ECHO_PATIENCE=str(PATIENCE)) as service:
        yield service
        assert service.process.poll() is None
        assert "Traceback" not in service.log.read_text()


async def answer_time(service: EchoService) -> float:
    """Seconds that another member waits for a fill."""
    began = time.monotonic()
    engine = EngineClient(service.as_member("bob"))
    try:
        results = [result async for result in engine.infill(REQUEST)]
    finally:
        await engine.aclose()
    assert isinstance(results[-1], Final)
    return time.monotonic() - began


async def answer_times_until(service: EchoService, done: asyncio.Future[object]) -> list[float]:
    """The same, again and again until something has come about."""
    times = [await answer_time(service)]
    while not done.done():
        times.append(await answer_time(service))
        await asyncio.sleep(0.05)
    return times


def one_by_one(whole: bytes) -> list[bytes]:
    return [whole[at : at + 1] for at in range(len(whole))]


async def test_slow_clients_are_given_up_and_others_answered_meanwhile(
    service: EchoService,
) -> None:
    slow = PATIENCE / 4
    started, unfinished = head("ann", 100_000), head("ann", 100_000)[:-2]
    together = asyncio.gather(
        *(read_slowly(service.port, "ann", lambda port: not service.holds(port)) for _ in range(3)),
        *(send_slowly(service.port, one_by_one(unfinished), slow) for _ in range(20)),
        *(send_slowly(service.port, [started, *[b"x"] * 999], slow) for _ in range(20)),
    )
    times = await answer_times_until(service, together)
    outcomes = await together

    readers, heads, bodies = outcomes[:3], outcomes[3:23], outcomes[23:]
    assert max(times) < IN_TIME
    assert all(seconds < 2 * PATIENCE + IN_TIME for seconds in readers)
    assert all(seconds < PATIENCE + IN_TIME for seconds, _ in heads)
    assert all(seconds < 2 * PATIENCE + IN_TIME for seconds, _ in bodies)
    assert all(said.startswith(b"HTTP/1.1 408 ") and b"slowly" in said for _, said in bodies)
    print(f"others waited {max(times):.2f} s at most; readers were held {max(readers):.1f} s")


async def pieces(sent: list[int]) -> AsyncIterator[bytes]:
    piece = b"x" * 65536
    for _ in range(HUGE // len(piece)):
        sent[0] += len(piece)
        yield piece


@pytest.mark.parametrize("announced", [True, False], ids=["announced", "in chunks"])
async def test_a_body_of_100_mb_is_refused_early_and_not_kept(
    announced: bool, service: EchoService
) -> None:
    before = service.resident()
    sent = [0]
    length = {"Content-Length": str(HUGE)} if announced else {}
    async with async_client(service.address, httpx.Timeout(60)) as http:
        try:
            answer = await http.post("/v1/infill", content=pieces(sent), headers=length)
            assert (answer.status_code, answer.json()["code"]) == (413, "too-large")
        except httpx.NetworkError:
            pass  # it was still sending when the server had had enough

    assert sent[0] < HUGE // 2
    assert service.resident() - before < 2 * BODY_LIMIT
    assert await answer_time(service) < IN_TIME


async def test_a_body_of_100_mb_without_a_token_is_not_taken_in(service: EchoService) -> None:
    before = service.resident()
    sent = [0]
    async with httpx.AsyncClient() as http:
        url = f"http://127.0.0.1:{service.port}/v1/infill"
        try:
            answer = await http.post(url, content=pieces(sent))
            assert answer.status_code == 401
        except httpx.NetworkError:
            pass

    assert sent[0] < 3 * BODY_LIMIT
    assert service.resident() - before < 2**20


@pytest.fixture
def many_files() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 2 * CROWD + 200
    if hard not in (resource.RLIM_INFINITY,) and hard < wanted:
        pytest.skip(f"NOT TESTED: a crowd needs {wanted} open files, {hard} are allowed")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.usefixtures("many_files")
async def test_a_crowd_that_says_nothing_keeps_nobody_out(service: EchoService) -> None:
    crowd: list[socket.socket] = []
    try:
        for _ in range(CROWD):
            crowd.append(await connected(service.port))
        times = [await answer_time(service) for _ in range(10)]
    finally:
        for sock in crowd:
            sock.close()

    assert max(times) < IN_TIME
    print(f"with {CROWD} silent connections others waited {max(times):.2f} s at most")
