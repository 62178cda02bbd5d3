"""Tokens that are guessed, from one address and from many: none is let through, and it is cheap."""

from __future__ import annotations

import asyncio
import random
import string
import time
from typing import TYPE_CHECKING

import httpx
import pytest
from echo_service import MEMBERS, EchoService, team, token_of
from soaking import times

from midfill.inference.service.rates import GUESSES
from midfill.inference.wire import Final, InfillRequest, Limits
from midfill.lsp.engine_client import EngineClient

if TYPE_CHECKING:
    from collections.abc import Iterator

GUESSED = times(1_000, 10_000)
ADDRESSES = GUESSED // 10
"""So that no address is shut out, and every token is really compared."""

AT_ONCE = 8
IN_TIME = 10.0
CPU_EACH = 0.02
"""Seconds of the server's processor for one guess on a new connection, on any machine."""

REQUEST = InfillRequest(prefix="a = ", limits=Limits(tokens=2))


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EchoService]:
    with team(tmp_path_factory.mktemp("guessed"), "--rate", "0") as service:
        yield service


def guesses(chance: random.Random) -> Iterator[str]:
    """Anything, and what is nearly right."""
    letters = string.ascii_letters + string.digits + "-_"
    while True:
        good = token_of(chance.choice(MEMBERS))
        at = chance.randrange(len(good))
        yield chance.choice(
            [
                "".join(chance.choices(letters, k=chance.randrange(1, 60))),
                good[: max(1, at)],
                good + good,
                good[:at] + ("." if good[at] != "." else ",") + good[at + 1 :],
                good.swapcase(),
                good[::-1],
                f"{good}\u00e9",
                "sha256:" + "0" * 64,
                "x" * 8000,
            ]
        )


async def guess(service: EchoService, address: str, tokens: list[str]) -> list[int]:
    """Try tokens from an address of this machine; the statuses."""
    transport = httpx.AsyncHTTPTransport(local_address=address)
    found = []
    async with httpx.AsyncClient(transport=transport) as http:
        for token in tokens:
            shown = b"Bearer " + token.encode()
            answer = await http.get(
                f"http://127.0.0.1:{service.port}/health", headers={b"Authorization": shown}
            )
            assert answer.headers["content-type"] == "application/json"
            assert answer.json()["message"]
            assert token not in answer.text or len(token) < 12
            found.append(answer.status_code)
    return found


async def member_waits(service: EchoService, name: str) -> float:
    began = time.monotonic()
    engine = EngineClient(service.as_member(name))
    try:
        results = [result async for result in engine.infill(REQUEST)]
    finally:
        await engine.aclose()
    assert isinstance(results[-1], Final)
    return time.monotonic() - began


async def test_no_guess_is_let_through_from_however_many_addresses(service: EchoService) -> None:
    tokens = guesses(random.Random(11))
    at_once = asyncio.Semaphore(AT_ONCE)
    used = service.cpu_seconds()

    async def from_one(number: int) -> list[int]:
        address = f"127.1.{number // 250}.{number % 250 + 1}"
        async with at_once:
            return await guess(
                service, address, [next(tokens) for _ in range(GUESSED // ADDRESSES)]
            )

    guessing = asyncio.gather(*map(from_one, range(ADDRESSES)))
    waits = [await member_waits(service, "ann")]
    while not guessing.done():
        waits.append(await member_waits(service, "bob"))
        await asyncio.sleep(0.05)
    statuses = [status for found in await guessing for status in found]

    used = service.cpu_seconds() - used
    assert len(statuses) == GUESSED
    assert set(statuses) == {401}
    assert max(waits) < IN_TIME
    assert used / GUESSED < CPU_EACH
    print(
        f"{GUESSED} guesses took {1e3 * used / GUESSED:.1f} ms of processor each; "
        f"members waited {max(waits):.2f} s at most"
    )


async def test_an_address_that_guesses_on_is_shut_out_and_nobody_else(
    service: EchoService,
) -> None:
    tokens = guesses(random.Random(12))
    statuses = await guess(service, "127.2.0.1", [next(tokens) for _ in range(5 * GUESSES)])
    right = await guess(service, "127.2.0.1", [token_of("ann")])

    assert statuses[:GUESSES] == [401] * GUESSES
    assert set(statuses[GUESSES:]) == {429}
    assert right == [429]
    assert await member_waits(service, "ann") < IN_TIME


async def test_the_log_holds_no_token_good_or_bad(service: EchoService) -> None:
    await guess(service, "127.3.0.1", ["a-token-that-is-wrong-17"])
    log = service.log.read_text()

    assert "refusal=unauthorized" in log
    assert "a-token-that-is-wrong-17" not in log
    assert not [name for name in MEMBERS if token_of(name) in log]
    assert "xxxxxxxx" not in log
