"""``midfill serve`` as its own process, with the embedded model."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import stat
import subprocess
import sys
import time
from contextlib import aclosing, suppress
from typing import TYPE_CHECKING

import httpx
import pytest

from midfill.inference.errors import EngineUnavailable, InvalidText, MidfillError
from midfill.inference.transport import TcpAddress, UnixAddress, async_client, engine_address
from midfill.inference.version import version
from midfill.inference.wire import Draft, Extent, Final, Health, HoleSpan, InfillRequest, Limits
from midfill.lsp.engine_client import EngineClient
from midfill.lsp.engine_log import log_file
from midfill.lsp.engine_process import start_engine

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from midfill.inference.transport import Address

pytestmark = pytest.mark.usefixtures("embedded_files")

SUM = InfillRequest(prefix="def add(a, b):\n    return ", suffix="\n\n\nprint(add(1, 2))\n")
CANARY = "c4n4ry_in_the_source"


class Engine:
    """A running ``midfill serve``."""

    def __init__(self, address: Address, *options: str) -> None:
        self.address = address
        self.process = subprocess.Popen(
            [sys.executable, "-m", "midfill.lsp", "serve", *options],
            stderr=subprocess.PIPE,
            text=True,
        )

    async def reaches(self, state: str, within: float = 60.0) -> Health:
        """Wait for a state, and give it."""
        give_up_at = time.monotonic() + within
        while True:
            with suppress(EngineUnavailable):
                health = await EngineClient(self.address).health()
                if health.state == state:
                    return health
                assert health.state != "failed", health.detail
            assert self.process.poll() is None, self.process.communicate()[1]
            assert time.monotonic() < give_up_at, "it takes too long"
            await asyncio.sleep(0.1)

    def end(self) -> str:
        """End it in good order; what it has written to its log."""
        self.process.terminate()
        try:
            return self.process.communicate(timeout=30)[1]
        finally:
            self.process.kill()


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    path = tmp_path_factory.mktemp("engine") / "e.sock"
    engine = Engine(UnixAddress(path), "--socket", str(path))
    yield engine
    log = engine.end()
    assert engine.process.returncode == 0
    assert not path.exists()
    assert "model loaded in" in log
    assert CANARY not in log


async def fill(address: Address, request: InfillRequest = SUM) -> list[Draft | Final]:
    return [result async for result in EngineClient(address).infill(request)]


async def test_a_real_hole_is_filled_step_by_step(engine: Engine) -> None:
    health = await engine.reaches("ready")
    assert (health.version, health.model) == (version(), "embedded")

    *drafts, final = await fill(engine.address)

    assert isinstance(final, Final)
    assert final.text == "a + b"
    assert 0 < final.confidence <= 1
    assert len(drafts) > 0
    assert all(isinstance(draft, Draft) and draft.step <= final.steps for draft in drafts)


async def test_what_was_encoded_is_not_encoded_again(engine: Engine) -> None:
    await engine.reaches("ready")
    await fill(engine.address)

    final = (await fill(engine.address))[-1]

    assert isinstance(final, Final)
    assert final.cache.hit_tokens > final.cache.new_tokens


async def test_a_client_that_goes_away_leaves_the_engine_free(engine: Engine) -> None:
    await engine.reaches("ready")
    hours = InfillRequest(
        prefix="# all primes below a million, one a line\n",
        holes=(HoleSpan(start=41, end=41, extent=Extent.LINES),),
        limits=Limits(tokens=512, deadline_ms=600_000),
        n=8,
        temperature=1.0,
    )
    async with aclosing(EngineClient(engine.address).infill(hours)) as results:
        await anext(results)

    began = time.monotonic()
    await asyncio.wait_for(fill(engine.address), 60)
    print(f"the next request had its answer after {time.monotonic() - began:.2f} s")


async def test_bad_requests_harm_nobody(engine: Engine) -> None:
    await engine.reaches("ready")
    bad = (
        b"",
        b'{"prefix": "' + CANARY.encode(),
        json.dumps({"prefix": 7, CANARY: 1}).encode(),
        b'{"prefix": "' + CANARY.encode() + b'\\ud800"}',
        b"[" * 100_000,
        b"\xff" * 1000,
        b'{"prefix": "' + b"x" * 9 * 2**20 + b'"}',
    )
    async with async_client(engine.address, httpx.Timeout(30.0)) as http:
        answers = [await http.post("/v1/infill", content=body) for body in bad]

    assert [answer.status_code for answer in answers] == [422, 422, 422, 422, 422, 422, 413]
    for answer in answers:
        assert CANARY not in answer.json()["message"]
    with pytest.raises(InvalidText):
        raise_for(answers[3])
    assert isinstance((await fill(engine.address))[-1], Final)


def raise_for(answer: httpx.Response) -> None:
    from midfill.lsp.engine_replies import read_refusal

    raise read_refusal(answer.status_code, answer.content)


async def test_a_request_of_a_million_tokens_is_answered(engine: Engine) -> None:
    await engine.reaches("ready")
    long = InfillRequest(
        prefix="total = 1 + 2\n" * 170_000 + f"{CANARY} = ", suffix="\nprint(total)\n" * 170_000
    )

    final = (await fill(engine.address, long))[-1]

    assert isinstance(final, Final)


async def test_a_second_engine_at_the_same_socket_ends_quietly(engine: Engine) -> None:
    first = await engine.reaches("ready")
    assert isinstance(engine.address, UnixAddress)

    second = Engine(engine.address, "--socket", str(engine.address.path))
    log = second.process.communicate(timeout=60)[1]

    assert second.process.returncode == 0
    assert log.count("\n") == 1
    assert "already" in log
    assert (await EngineClient(engine.address).health()).pid == first.pid


async def test_an_idle_engine_gives_its_memory_back_and_loads_again(tmp_path: Path) -> None:
    path = tmp_path / "e.sock"
    engine = Engine(UnixAddress(path), "--socket", str(path), "--idle-minutes", "0.02")
    try:
        await engine.reaches("ready")
        loaded = _resident(engine.process.pid)
        await engine.reaches("idle")
        unloaded = _resident(engine.process.pid)
        final = (await fill(engine.address))[-1]
    finally:
        engine.end()

    assert isinstance(final, Final)
    assert final.ms.load > 0
    print(f"resident: {loaded} MB loaded, {unloaded} MB idle")
    assert unloaded < loaded - 300


def _resident(pid: int) -> int:
    import psutil

    return int(psutil.Process(pid).memory_info().rss) // 2**20


async def test_an_engine_is_started_on_demand_and_ends_when_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MIDFILL_RUNTIME_DIR", str(tmp_path / "run"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    address = engine_address("embedded")
    began = time.monotonic()

    await asyncio.gather(start_engine("embedded", address), start_engine("embedded", address))

    print(f"two starts at once: one answers after {time.monotonic() - began:.2f} s")
    client = EngineClient(address)
    health = await client.health()
    try:
        assert isinstance(address, UnixAddress)
        assert stat.S_IMODE(address.path.stat().st_mode) == 0o600
        assert isinstance((await fill(address, SUM))[-1], Final)
        await fill(address, InfillRequest(prefix=f"{CANARY} = "))
        await client.drain()
        assert await _gone(client, within=30)
    finally:
        with suppress(ProcessLookupError):
            os.kill(health.pid, signal.SIGTERM)
    log = log_file("embedded")
    assert log.is_relative_to(tmp_path)
    assert stat.S_IMODE(log.stat().st_mode) == 0o600
    assert "model loaded in" in log.read_text()
    assert CANARY not in log.read_text()


async def _gone(client: EngineClient, within: float) -> bool:
    """Whether it stops answering in time."""
    give_up_at = time.monotonic() + within
    while time.monotonic() < give_up_at:
        try:
            await client.health()
        except EngineUnavailable:
            return True
        await asyncio.sleep(0.1)
    return False


async def test_over_tcp_a_token_of_the_file_is_needed(tmp_path: Path) -> None:
    (tmp_path / "tokens").write_text("ann alpha\n")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    engine = Engine(
        TcpAddress("127.0.0.1", port, "alpha"),
        *("--host", "127.0.0.1", "--port", str(port), "--token-file", str(tmp_path / "tokens")),
    )
    try:
        await engine.reaches("ready")
        assert isinstance((await fill(engine.address))[-1], Final)
        with pytest.raises(MidfillError, match="token"):
            await fill(TcpAddress("127.0.0.1", port, "beta"))
    finally:
        engine.end()


WRONG_CALLS = {
    "no tls": ("--host 0.0.0.0 --port 9000 --token-file t", "--plain-http"),
    "no certificate": (
        "--host 0.0.0.0 --port 9000 --token-file t --tls-cert t --tls-key t",
        "no certificate in PEM form",
    ),
    "no tokens for others": ("--host 0.0.0.0 --port 9000 --plain-http", "--token-file"),
    "no tokens": ("--host 127.0.0.1 --port 9000", "--token-file"),
    "no port": ("--host 127.0.0.1 --token-file t", "--port"),
    "two ways": ("--socket e.sock --port 9000", "choose one"),
    "tokens for a socket": ("--socket e.sock --token-file t", "--host/--port"),
    "missing tokens": ("--port 9000 --token-file missing", "cannot read the token file"),
    "bad tokens": ("--port 9000 --token-file bad", "NAME TOKEN"),
    "a file": ("--socket t", "not a socket"),
    "no such model": ("--socket e.sock --model no/such/model/at/all", "model"),
    "no such device": ("--socket e.sock --device abacus", "device"),
}


@pytest.mark.parametrize("name", WRONG_CALLS)
def test_a_wrong_call_gets_one_line_and_status_2(name: str, tmp_path: Path) -> None:
    options, words = WRONG_CALLS[name]
    (tmp_path / "t").write_text("ann alpha\n")
    (tmp_path / "bad").write_text("one two three\n")

    done = subprocess.run(
        [sys.executable, "-m", "midfill.lsp", "serve", *options.split()],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert done.returncode == 2
    assert words in done.stderr
    assert done.stderr.count("\n") == 1
    assert (tmp_path / "t").read_text() == "ann alpha\n"
