from __future__ import annotations

import asyncio
import os
import signal
import socket
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest
from serving import CANARY, eventually, post, serving
from stepping_engine import SteppingEngine

from midfill.inference.service.presence import Presence
from midfill.inference.service.server import ServiceLimits
from midfill.inference.transport import UnixAddress, async_client, engine_address

if TYPE_CHECKING:
    from collections.abc import Iterator

SERVER = Path(__file__).with_name("stepping_server.py")
GOOD = {"prefix": "a = "}


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Starter]:
    monkeypatch.setenv("MIDFILL_RUNTIME_DIR", str(tmp_path / "run"))
    monkeypatch.delenv("MIDFILL_TRANSPORT", raising=False)
    starter = Starter()
    yield starter
    starter.end()


class Starter:
    """Starts engine processes, and ends those that are left."""

    def __init__(self) -> None:
        self._started: list[subprocess.Popen[str]] = []

    def __call__(self, *options: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, str(SERVER), "m", *options], stderr=subprocess.PIPE, text=True
        )
        self._started.append(process)
        return process

    def end(self) -> None:
        for process in self._started:
            if process.poll() is None:
                process.kill()
            process.wait()
            assert process.stderr
            process.stderr.close()


async def answering() -> httpx.AsyncClient:
    """A client of the engine as soon as it answers."""
    give_up_at = time.monotonic() + 20
    while True:
        try:
            http = async_client(engine_address("m"), httpx.Timeout(10.0))
            await http.get("/health")
        except Exception:
            assert time.monotonic() < give_up_at, "no engine answers"
            await asyncio.sleep(0.05)
        else:
            return http


def socket_path() -> Path:
    address = engine_address("m")
    assert isinstance(address, UnixAddress)
    return address.path


def test_presence_counts_from_when_the_last_one_has_gone() -> None:
    now = 0.0
    presence = Presence(clock=lambda: now)
    leave_first, leave_second = presence.enter(), presence.enter()
    now = 10.0
    leave_first()
    leave_first()
    now = 20.0
    assert presence.alone_for() == 0
    leave_second()
    now = 25.0
    assert presence.alone_for() == 5


async def test_an_idle_engine_unloads_and_the_next_request_loads_it(tmp_path: Path) -> None:
    engine = SteppingEngine()
    async with serving(engine, tmp_path, ServiceLimits(idle_after=0.2)) as service:
        await post(service.http, GOOD)
        await eventually(lambda: not engine.loaded)
        assert (await service.http.get("/health")).json()["state"] == "idle"

        _, events = await post(service.http, GOOD)

        assert events[-1].name == "final"
        assert engine.loads == 2
        await eventually(lambda: engine.unloads == 2)


async def test_an_engine_in_use_stays_loaded(tmp_path: Path) -> None:
    engine = SteppingEngine(steps=1)
    async with serving(engine, tmp_path, ServiceLimits(idle_after=1.0)) as service:
        for _ in range(10):
            await post(service.http, GOOD)
            await asyncio.sleep(0.2)

    assert engine.unloads == 0


async def test_a_model_that_took_long_to_load_is_not_unloaded_right_then(tmp_path: Path) -> None:
    engine = SteppingEngine(load_seconds=1.5)
    async with serving(engine, tmp_path, ServiceLimits(idle_after=1.2)):
        await eventually(lambda: engine.loaded)
        await asyncio.sleep(0.3)
        assert engine.loaded


async def test_an_engine_stops_when_nobody_is_left(run: Starter) -> None:
    engine = run("--grace", "0.5")
    http = await answering()
    async with http.stream("GET", "/v1/events") as response:
        pieces = response.aiter_raw()
        await anext(pieces)
        await asyncio.sleep(1.0)
        assert engine.poll() is None

    await eventually(lambda: engine.poll() is not None)

    assert engine.returncode == 0
    assert not socket_path().exists()


async def test_an_engine_that_nobody_asked_for_stays(run: Starter) -> None:
    engine = run()
    await answering()
    await asyncio.sleep(1.0)
    assert engine.poll() is None


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_ends_it_in_good_order(ending: signal.Signals, run: Starter) -> None:
    engine = run("--steps", "10", "--step-seconds", "0.05")
    http = await answering()
    running = asyncio.create_task(post(http, GOOD))
    await asyncio.sleep(0.2)

    engine.send_signal(ending)

    _, events = await running
    assert events[-1].name == "final"
    await eventually(lambda: engine.poll() is not None)
    assert engine.returncode == 0
    assert not socket_path().exists()


async def test_a_second_signal_does_not_wait(run: Starter) -> None:
    engine = run("--steps", "1000", "--step-seconds", "0.05")
    http = await answering()
    running = asyncio.create_task(post(http, GOOD))
    await asyncio.sleep(0.3)

    engine.send_signal(signal.SIGTERM)
    await asyncio.sleep(0.3)
    engine.send_signal(signal.SIGTERM)

    await eventually(lambda: engine.poll() is not None, within=3)
    assert engine.returncode == 0
    await asyncio.gather(running, return_exceptions=True)


async def test_an_engine_that_is_loading_for_ever_can_be_ended(run: Starter) -> None:
    engine = run("--load-seconds", "1000")
    http = await answering()
    assert (await http.get("/health")).json()["state"] == "loading"

    engine.send_signal(signal.SIGTERM)

    await eventually(lambda: engine.poll() is not None)
    assert engine.returncode == 0
    assert not socket_path().exists()


async def test_of_engines_started_at_once_one_stays_and_the_others_end_quietly(
    run: Starter,
) -> None:
    engines = [run() for _ in range(4)]
    http = await answering()
    await eventually(lambda: sum(engine.poll() is None for engine in engines) == 1, within=20)

    health = (await http.get("/health")).json()
    (left,) = (engine for engine in engines if engine.poll() is None)
    assert health["pid"] == left.pid
    for engine in engines:
        if engine is not left:
            assert engine.returncode == 0
            assert engine.communicate()[1].count("\n") == 1


async def test_an_engine_takes_over_the_socket_of_one_that_was_killed(run: Starter) -> None:
    first = run()
    await answering()
    first.kill()
    first.wait()
    assert socket_path().exists()

    second = run()

    http = await answering()
    assert (await http.get("/health")).json()["pid"] == second.pid


async def test_only_the_user_can_reach_an_engine(run: Starter) -> None:
    run()
    await answering()

    for path in (socket_path(), socket_path().with_name(socket_path().name + ".lock")):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(socket_path().parent.stat().st_mode) == 0o700


async def test_no_source_text_in_the_log(run: Starter, tmp_path: Path) -> None:
    log = tmp_path / "logs" / "engine.log"
    engine = run("--log", str(log))
    http = await answering()
    for body in (
        {"prefix": CANARY},
        {"prefix": CANARY, "language": "raise"},
        {"prefix": CANARY, "language": "exit"},
        {"prefix": [CANARY]},
        CANARY.encode(),
        {CANARY: CANARY},
        {"prefix": CANARY, "holes": [{"start": 900, "end": 901}]},
    ):
        await post(http, body)
    await http.get(f"/v1/{CANARY}")
    await http.post(f"/v1/infill?{CANARY}", content=b'"\xff')
    with socket.socket(socket.AF_UNIX) as raw:
        raw.connect(str(socket_path()))
        raw.sendall(f"{CANARY} is no HTTP\r\n\r\n".encode())
        raw.recv(1000)
    async with http.stream("POST", "/v1/infill", json={"prefix": CANARY}):
        pass
    engine.terminate()
    _, on_stderr = engine.communicate(timeout=10)

    text = log.read_text()
    assert "a request failed" in text
    assert "stopped" in text
    assert CANARY not in text
    assert on_stderr == ""
    assert stat.S_IMODE(log.stat().st_mode) == 0o600


async def test_a_log_that_cannot_be_written_costs_only_the_log(
    run: Starter, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    run("--log", str(tmp_path / "file" / "engine.log"))

    http = await answering()

    assert (await post(http, GOOD))[0] == 200


async def test_one_that_dies_in_a_request_breaks_off_and_is_gone(run: Starter) -> None:
    engine = run()
    http = await answering()
    with pytest.raises(httpx.TransportError):
        await post(http, {"prefix": "", "language": "die"})
    engine.wait(5)
    assert engine.returncode == -signal.SIGKILL
    assert os.path.exists(socket_path())  # noqa: PTH110 (a socket without a listener)
