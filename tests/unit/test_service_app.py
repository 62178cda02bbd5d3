from __future__ import annotations

import asyncio
import json
import logging
import os
from contextlib import aclosing, suppress
from io import StringIO
from random import Random
from typing import TYPE_CHECKING

import httpx
import pytest
from serving import CANARY, eventually, post, serving
from stepping_engine import SteppingEngine

from midfill.inference.errors import UsageError
from midfill.inference.server_sent_events import EventReader
from midfill.inference.service.access import Access
from midfill.inference.service.server import ServiceLimits
from midfill.inference.service.token_file import TokenFile
from midfill.inference.transport import LoopbackAddress, TcpAddress, async_client
from midfill.inference.wire import MAX_BODY_BYTES

if TYPE_CHECKING:
    from pathlib import Path

GOOD = {"prefix": "def f():\n    return "}


async def test_an_answer_is_drafts_and_then_the_final_fill(tmp_path: Path) -> None:
    async with serving(SteppingEngine(steps=2), tmp_path) as service:
        status, events = await post(service.http, GOOD)

    assert status == 200
    assert [event.name for event in events] == ["draft", "draft", "final"]
    assert json.loads(events[-1].data)["text"] == "xx"


async def test_health_names_version_model_and_state(tmp_path: Path) -> None:
    async with serving(SteppingEngine(), tmp_path) as service:
        await post(service.http, GOOD)
        health = (await service.http.get("/health")).json()

    assert health["model"] == "stepping"
    assert health["state"] == "ready"
    assert health["pid"] == os.getpid()
    assert health["version"]


BAD_BODIES = {
    "nothing": (b"", "invalid-request", "not JSON"),
    "malformed": (b'{"prefix": "' + CANARY.encode(), "invalid-request", "not JSON"),
    "nested": (b"[" * 100_000, "invalid-request", "not JSON"),
    "no object": (b"[1]", "invalid-request", "an object"),
    "no prefix": (b"{}", "invalid-request", "prefix"),
    "number for text": (b'{"prefix": 7}', "invalid-request", "prefix should be a valid string"),
    "text for number": (
        json.dumps({"prefix": "", "limits": {"tokens": CANARY}}).encode(),
        "invalid-request",
        "limits.tokens should be a valid integer",
    ),
    "too many tokens": (
        b'{"prefix": "", "limits": {"tokens": 1000000}}',
        "invalid-request",
        "limits.tokens should be less than or equal to 512",
    ),
    "hole outside": (
        b'{"prefix": "a", "holes": [{"start": 0, "end": 9}]}',
        "invalid-request",
        "a hole ends behind the end",
    ),
    "unknown field": (b'{"prefix": "", "prefx": ""}', "invalid-request", "unknown field: prefx"),
    "source for a field": (
        json.dumps({"prefix": "", f"{CANARY} = 1": ""}).encode(),
        "invalid-request",
        "unknown field",
    ),
    "lone surrogate": (b'{"prefix": "\\ud800"}', "invalid-text", "surrogate"),
    "lone trail": (b'{"prefix": "\\udc00 x"}', "invalid-text", "surrogate"),
    "encoded surrogate": (b'{"prefix": "\xed\xa0\x80"}', "invalid-text", "surrogate"),
    "not UTF-8": (b'{"prefix": "\xff"}', "invalid-text", "UTF-8"),
}


@pytest.mark.parametrize("name", BAD_BODIES)
async def test_a_bad_body_is_refused_in_one_line_and_harms_nobody(
    name: str, tmp_path: Path
) -> None:
    body, code, words = BAD_BODIES[name]
    engine = SteppingEngine()
    async with serving(engine, tmp_path) as service:
        status, (refusal,) = await post(service.http, body)
        afterwards, _ = await post(service.http, GOOD)

    failure = json.loads(refusal.data)
    assert (status, failure["code"]) == (422, code)
    assert words in failure["message"]
    assert "\n" not in failure["message"]
    assert CANARY not in failure["message"]
    assert afterwards == 200
    assert engine.filled == [GOOD["prefix"]]


async def test_a_body_over_the_limit_is_refused_while_it_comes_in(tmp_path: Path) -> None:
    async def endless() -> object:
        for _ in range(2 * MAX_BODY_BYTES // 2**16):
            yield b"x" * 2**16

    async with serving(SteppingEngine(), tmp_path) as service:
        status, (refusal,) = await post(service.http, b'{"prefix": "' + b"x" * MAX_BODY_BYTES)
        chunked = await service.http.post("/v1/infill", content=endless())  # type: ignore[arg-type]
        afterwards, _ = await post(service.http, GOOD)

    assert (status, json.loads(refusal.data)["code"]) == (413, "too-large")
    assert chunked.status_code == 413
    assert afterwards == 200


async def test_a_request_of_a_million_tokens_is_passed_on(tmp_path: Path) -> None:
    engine = SteppingEngine()
    async with serving(engine, tmp_path) as service:
        status, _ = await post(service.http, {"prefix": "word + " * 1_000_000})

    assert status == 200
    assert len(engine.filled[0]) == 7_000_000


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ("raise", "failure"),
        ("raise-ours", "failure"),
        ("memory", "out-of-memory"),
        ("torch-memory", "out-of-memory"),
        ("exit", "failure"),
    ],
)
async def test_an_engine_that_fails_fails_one_request(
    fault: str, code: str, tmp_path: Path
) -> None:
    log = StringIO()
    plain = logging.StreamHandler(log)  # as whoever runs the engine may have set logs up
    logging.getLogger().addHandler(plain)
    try:
        async with serving(SteppingEngine(), tmp_path) as service:
            status, events = await post(service.http, {"prefix": CANARY, "language": fault})
            afterwards, _ = await post(service.http, GOOD)
    finally:
        logging.getLogger().removeHandler(plain)

    assert status == 200
    assert [event.name for event in events] == ["draft", "error"]
    assert json.loads(events[-1].data)["code"] == code
    assert CANARY.encode() not in events[-1].data
    assert "a request failed" in log.getvalue()
    assert CANARY not in log.getvalue()
    assert afterwards == 200


async def test_a_client_that_disconnects_ends_its_work_within_one_step(tmp_path: Path) -> None:
    engine = SteppingEngine(steps=100, step_seconds=0.1)
    async with serving(engine, tmp_path) as service:
        async with service.http.stream("POST", "/v1/infill", json=GOOD) as response:
            pieces = response.aiter_raw()
            await anext(pieces)
            seen = engine.steps_done
        await asyncio.sleep(0.5)

        assert engine.steps_done <= seen + 1
        status, _ = await asyncio.wait_for(_post_short(service.http, engine), 2)
        assert status == 200


async def _post_short(http: httpx.AsyncClient, engine: SteppingEngine) -> tuple[int, object]:
    engine.steps = 1
    return await post(http, GOOD)


async def test_a_client_that_disconnects_while_waiting_costs_nothing(tmp_path: Path) -> None:
    engine = SteppingEngine(steps=5, step_seconds=0.1)
    async with serving(engine, tmp_path) as service:
        first = asyncio.create_task(post(service.http, GOOD))
        await eventually(lambda: engine.filled)
        async with service.http.stream("POST", "/v1/infill", json={"prefix": "given up"}):
            pass
        await first
        await post(service.http, GOOD)

    assert engine.filled == [GOOD["prefix"], GOOD["prefix"]]


async def test_a_full_queue_says_busy(tmp_path: Path) -> None:
    engine = SteppingEngine(steps=10, step_seconds=0.05)
    async with serving(engine, tmp_path, ServiceLimits(places=2)) as service:
        accepted = [asyncio.create_task(post(service.http, GOOD)) for _ in range(2)]
        await eventually(lambda: engine.filled)
        await asyncio.sleep(0.1)
        status, (refusal,) = await post(service.http, GOOD)

        assert (status, json.loads(refusal.data)["code"]) == (429, "queue-full")
        assert [status for status, _ in await asyncio.gather(*accepted)] == [200, 200]
        assert (await post(service.http, GOOD))[0] == 200


async def test_a_storm_of_clients_that_come_and_go_leaves_nothing_behind(tmp_path: Path) -> None:
    engine = SteppingEngine(steps=3, step_seconds=0.002)
    random = Random(5)

    async def come_and_go(http: httpx.AsyncClient) -> None:
        await asyncio.sleep(random.random())
        with suppress(TimeoutError):
            await asyncio.wait_for(post(http, GOOD), random.random() * 0.05)

    async with serving(engine, tmp_path, ServiceLimits(places=4)) as service:
        await asyncio.gather(*(come_and_go(service.http) for _ in range(200)))
        await asyncio.sleep(0.2)
        answers = await asyncio.gather(*(post(service.http, GOOD) for _ in range(4)))

    assert [(status, events[-1].name) for status, events in answers] == [(200, "final")] * 4


async def test_whoever_watches_is_told_every_state(tmp_path: Path) -> None:
    engine = SteppingEngine(load_seconds=0.3)
    limits = ServiceLimits(idle_after=0.5)
    async with serving(engine, tmp_path, limits) as service:
        async with service.http.stream("GET", "/v1/events") as response:
            states = []
            reader = EventReader()
            async with aclosing(response.aiter_raw()) as pieces:
                async for piece in pieces:
                    states += [json.loads(event.data) for event in reader.feed(piece)]
                    if states[-1]["state"] == "idle":
                        break
        assert (await service.http.post("/v1/load")).status_code == 202
        await eventually(lambda: engine.loads == 2)

    assert [told["state"] for told in states] == ["loading", "ready", "idle"]
    assert states[0]["detail"] == "reading the weights"
    assert states[0]["fraction"] == 0.5


async def test_contexts_are_let_go_behind_what_is_queued(tmp_path: Path) -> None:
    engine = SteppingEngine(steps=10, step_seconds=0.02)
    async with serving(engine, tmp_path) as service:
        running = asyncio.create_task(post(service.http, GOOD))
        await eventually(lambda: engine.filled)
        assert (await service.http.post("/v1/forget")).status_code == 202
        assert engine.forgotten == []
        await running
        await eventually(lambda: engine.forgotten == [""])


async def test_a_draining_engine_answers_what_runs_and_refuses_what_is_new(tmp_path: Path) -> None:
    engine = SteppingEngine(steps=10, step_seconds=0.05)
    async with serving(engine, tmp_path) as service:
        running = asyncio.create_task(post(service.http, GOOD))
        await eventually(lambda: engine.filled)
        drained = await service.http.post("/v1/drain")
        again = await service.http.post("/v1/drain")
        status, (refusal,) = await post(service.http, GOOD)
        _, events = await running
        await asyncio.wait_for(service.task, 5)

    assert (drained.status_code, drained.json()["state"]) == (202, "draining")
    assert again.status_code == 202
    assert (status, json.loads(refusal.data)["code"]) == (503, "busy")
    assert events[-1].name == "final"


async def test_a_draining_engine_waits_only_so_long(tmp_path: Path) -> None:
    engine = SteppingEngine(steps=1000, step_seconds=0.05)
    async with serving(engine, tmp_path, ServiceLimits(drain_within=0.3)) as service:
        running = asyncio.create_task(post(service.http, GOOD))
        await eventually(lambda: engine.filled)
        await service.http.post("/v1/drain")
        _, events = await running
        await asyncio.wait_for(service.task, 5)

    assert (events[-1].name, json.loads(events[-1].data)["code"]) == ("error", "busy")
    assert engine.steps_done < 100


async def test_watchers_do_not_hold_up_the_end(tmp_path: Path) -> None:
    async with serving(SteppingEngine(), tmp_path) as service:
        watching = asyncio.create_task(service.http.get("/v1/events"))
        await asyncio.sleep(0.2)
        await service.http.post("/v1/drain")
        await asyncio.wait_for(service.task, 2)
        assert b'"draining"' in (await watching).content


async def test_an_unknown_path_is_no_drama(tmp_path: Path) -> None:
    async with serving(SteppingEngine(), tmp_path) as service:
        assert (await service.http.get("/v1/nothing")).status_code == 404
        assert (await service.http.get("/v1/infill")).status_code == 405


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Authorization": ""}, 401),
        ({"Authorization": "Bearer wrong"}, 401),
        ({"Authorization": "Bearer wröng".encode()}, 401),
        ({"Authorization": "Basic dXNlcjpwYXNz"}, 401),
        ({"Host": "attacker.example:80"}, 403),
        ({"Host": "127.0.0.1.attacker.example"}, 403),
        ({"Origin": "http://attacker.example"}, 403),
    ],
)
async def test_over_loopback_tcp_the_token_decides(
    headers: dict[str, str], status: int, tmp_path: Path
) -> None:
    address = LoopbackAddress(tmp_path / "e.tcp")
    async with serving(SteppingEngine(), tmp_path, address=address) as service:
        health = await service.http.get("/health", headers=headers)
        fill = await service.http.post("/v1/infill", json=GOOD, headers=headers)

    assert (health.status_code, fill.status_code) == (status, status)


async def test_a_fixed_port_takes_the_tokens_of_its_file_as_they_are_now(tmp_path: Path) -> None:
    file = tmp_path / "tokens"
    file.write_text("# who may ask\nann alpha\n\nbob beta\n")
    access = Access(TokenFile(file))
    address = TcpAddress("127.0.0.1", _free_port(), "alpha")
    async with serving(SteppingEngine(), tmp_path, address=address, access=access):

        async def status(token: str) -> int:
            one = TcpAddress(address.host, address.port, token)
            async with async_client(one, httpx.Timeout(5.0)) as http:
                return (await http.get("/health")).status_code

        assert [await status(token) for token in ("alpha", "beta", "gamma")] == [200, 200, 401]

        file.write_text("ann alpha\ncem gamma\n")
        assert [await status(token) for token in ("alpha", "beta", "gamma")] == [200, 401, 200]

        file.write_text("a line of five words\n")
        assert [await status(token) for token in ("alpha", "beta", "gamma")] == [200, 401, 200]

        file.unlink()
        assert await status("alpha") == 200


@pytest.mark.parametrize("text", ["", "# nothing\n", "only-a-token\n", "ann alpha beta\n"])
def test_a_token_file_of_another_form_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "tokens").write_text(text)

    with pytest.raises(UsageError, match="NAME TOKEN"):
        TokenFile(tmp_path / "tokens")


def test_a_token_file_that_is_missing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot read the token file"):
        TokenFile(tmp_path / "tokens")


def _free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
