from __future__ import annotations

import asyncio
import json
from contextlib import aclosing, asynccontextmanager
from typing import TYPE_CHECKING

import pytest
from serving import eventually, serving
from stepping_engine import SteppingEngine

from midfill.inference.errors import (
    EngineBusy,
    EngineUnavailable,
    MidfillError,
    OutOfMemory,
    RequestTooLarge,
    WeightsMissing,
)
from midfill.inference.failures import error_of
from midfill.inference.server_sent_events import encode
from midfill.inference.service.server import ServiceLimits
from midfill.inference.transport import LoopbackAddress, UnixAddress, engine_address
from midfill.inference.wire import MAX_BODY_BYTES, Draft, Failure, Final, Health, InfillRequest
from midfill.lsp.engine_client import EngineClient
from midfill.lsp.running_engine import infill_sync, running_engine

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from midfill.inference.transport import Address

REQUEST = InfillRequest(prefix="a = ")


@asynccontextmanager
async def saying(address: UnixAddress, *pieces: bytes) -> AsyncIterator[EngineClient]:
    """A client of something that answers every request with these bytes and hangs up."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
        writer.close()

    server = await asyncio.start_unix_server(answer, address.path)
    client = EngineClient(address)
    yield client
    await client.aclose()
    server.close()


def ok(body: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + body


async def everything(client: EngineClient, request: InfillRequest = REQUEST) -> list[Draft | Final]:
    return [result async for result in client.infill(request)]


@pytest.mark.parametrize("kind", [UnixAddress, LoopbackAddress])
async def test_a_fill_comes_as_drafts_and_a_final(
    kind: type[UnixAddress | LoopbackAddress], tmp_path: Path
) -> None:
    address = kind(tmp_path / "e")
    async with serving(SteppingEngine(steps=2), tmp_path, address=address):
        client = EngineClient(address)
        results = await everything(client)
        health = await client.health()
        await client.aclose()

    assert [type(result) for result in results] == [Draft, Draft, Final]
    assert health.state == "ready"


@pytest.mark.parametrize(("fault", "error"), [("memory", OutOfMemory), ("raise", MidfillError)])
async def test_an_error_keeps_its_class(
    fault: str, error: type[MidfillError], tmp_path: Path
) -> None:
    async with serving(SteppingEngine(), tmp_path) as service:
        client = EngineClient(service.address)
        with pytest.raises(MidfillError) as raised:
            await everything(client, InfillRequest(prefix="", language=fault))

    assert type(raised.value) is error


async def test_a_refusal_keeps_its_class(tmp_path: Path) -> None:
    async with serving(SteppingEngine(), tmp_path, ServiceLimits(places=0)) as service:
        with pytest.raises(EngineBusy):
            await everything(EngineClient(service.address))


def test_an_unknown_code_is_kept_on_a_plain_error() -> None:
    error = error_of(Failure(code="from-the-future", message="wait and see"))

    assert type(error) is MidfillError
    assert (error.code, str(error)) == ("from-the-future", "wait and see")
    assert MidfillError.code == "failure"
    assert type(error_of(Failure(code="weights-missing", message=""))) is WeightsMissing


async def test_closing_the_answer_stops_the_engine(tmp_path: Path) -> None:
    engine = SteppingEngine(steps=100, step_seconds=0.1)
    async with serving(engine, tmp_path) as service:
        client = EngineClient(service.address)
        async with aclosing(client.infill(REQUEST)) as results:
            await anext(results)
            seen = engine.steps_done
        await asyncio.sleep(0.5)
        assert engine.steps_done <= seen + 1


async def test_cancelling_whoever_waits_stops_the_engine(tmp_path: Path) -> None:
    engine = SteppingEngine(steps=100, step_seconds=0.1)
    async with serving(engine, tmp_path) as service:
        waiting = asyncio.create_task(everything(EngineClient(service.address)))
        await eventually(lambda: engine.steps_done > 1)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        seen = engine.steps_done
        await asyncio.sleep(0.5)
        assert engine.steps_done <= seen + 1


async def test_the_engines_states_are_told_as_they_change(tmp_path: Path) -> None:
    engine = SteppingEngine()
    async with serving(engine, tmp_path, ServiceLimits(idle_after=0.3)) as service:
        client = EngineClient(service.address)
        states = []
        async with aclosing(client.events()) as events:
            async for health in events:
                states.append(health.state.value)
                if states[-1] == "idle":
                    await client.load()
                if states[-2:] == ["loading", "ready"] and "idle" in states:
                    break

    assert states[-3:] == ["idle", "loading", "ready"]


@pytest.mark.parametrize("kind", [UnixAddress, LoopbackAddress])
async def test_nobody_there_is_unavailable(
    kind: type[UnixAddress | LoopbackAddress], tmp_path: Path
) -> None:
    address: Address = kind(tmp_path / "e")

    with pytest.raises(EngineUnavailable, match="e"):
        await EngineClient(address).health()
    with pytest.raises(EngineUnavailable):
        list(infill_sync(address, REQUEST))


async def test_an_answer_that_breaks_off_is_unavailable(tmp_path: Path) -> None:
    draft = encode("draft", Draft(text="x").model_dump_json())
    async with saying(UnixAddress(tmp_path / "s"), ok(draft)) as client:
        with pytest.raises(EngineUnavailable, match="in the middle of an answer"):
            await everything(client)


async def test_an_answer_in_pieces_is_put_together(tmp_path: Path) -> None:
    text = "a\u2028b🙂\r\n"
    draft = encode("draft", Draft(text=text).model_dump_json())
    pieces = [bytes([byte]) for byte in draft]
    async with saying(UnixAddress(tmp_path / "s"), ok(b""), *pieces) as client:
        result = await anext(client.infill(REQUEST))

    assert isinstance(result, Draft)
    assert result.text == text


@pytest.mark.parametrize("data", ["{}", "not JSON", '{"text": "", "more": 1}'])
async def test_nonsense_is_an_error_of_ours(data: str, tmp_path: Path) -> None:
    async with saying(UnixAddress(tmp_path / "s"), ok(encode("final", data))) as client:
        with pytest.raises(MidfillError, match="another version"):
            await everything(client)


async def test_an_engine_of_another_version_can_still_be_told_by_its_version(
    tmp_path: Path,
) -> None:
    told = {"version": "7.0", "state": "dreaming", "news": [1], "pid": 3, "model": "m"}
    async with saying(UnixAddress(tmp_path / "s"), ok(json.dumps(told).encode())) as client:
        health = await client.health()

    assert (health.version, health.pid) == ("7.0", 3)


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"null", b'{"status": "ok"}'])
async def test_something_else_at_the_address_is_no_engine(body: bytes, tmp_path: Path) -> None:
    async with saying(UnixAddress(tmp_path / "s"), ok(body)) as client:
        with pytest.raises(EngineUnavailable, match="no engine"):
            await client.health()


async def test_a_request_that_no_engine_takes_is_not_sent(tmp_path: Path) -> None:
    client = EngineClient(UnixAddress(tmp_path / "nobody"))

    with pytest.raises(RequestTooLarge):
        await everything(client, InfillRequest(prefix="x" * MAX_BODY_BYTES))


async def test_proxies_of_the_environment_are_not_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    address = LoopbackAddress(tmp_path / "e.tcp")
    async with serving(SteppingEngine(), tmp_path, address=address):
        assert (await EngineClient(address).health()).state == "ready"


async def test_a_command_uses_the_engine_that_is_running(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MIDFILL_RUNTIME_DIR", str(tmp_path / "run"))
    assert running_engine("stepping") is None
    address = engine_address("stepping")
    async with serving(SteppingEngine(steps=1), tmp_path, address=address):
        health = await asyncio.to_thread(running_engine, "stepping")
        assert isinstance(health, Health)
        assert await asyncio.to_thread(running_engine, "another") is None
        results = await asyncio.to_thread(lambda: list(infill_sync(address, REQUEST)))

    assert [type(result) for result in results] == [Draft, Final]


async def test_a_command_leaves_an_engine_of_another_version_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MIDFILL_RUNTIME_DIR", str(tmp_path / "run"))
    monkeypatch.setattr("midfill.inference.service.server.version", lambda: "0.0.9")
    address = engine_address("stepping")
    async with serving(SteppingEngine(), tmp_path, address=address):
        assert await asyncio.to_thread(running_engine, "stepping") is None


async def test_a_command_that_stops_reading_stops_the_engine(tmp_path: Path) -> None:
    engine = SteppingEngine(steps=100, step_seconds=0.1)

    def read_one(address: Address) -> int:
        results = infill_sync(address, REQUEST)
        next(results)
        results.close()
        return engine.steps_done

    async with serving(engine, tmp_path) as service:
        seen = await asyncio.to_thread(read_one, service.address)
        await asyncio.sleep(0.5)
        assert engine.steps_done <= seen + 1
