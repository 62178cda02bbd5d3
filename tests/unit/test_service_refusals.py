"""Refusals before a route has its say: each in the form of the interface that was asked."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import h11
import jsonschema
import pytest
from serving import eventually, serving
from stepping_engine import SteppingEngine
from team_server import team_server

from midfill.inference.service import body_guard, server
from midfill.inference.service.facade.openapi import description
from midfill.inference.service.facade.operations import OPERATIONS

if TYPE_CHECKING:
    from pathlib import Path

    import httpx

OWN, OPENAI, LLAMA, OLLAMA = "Failure", "FaultReply", "LlamaFaultReply", "OllamaFault"

MISSED = [
    ("GET", "/v1/infill", 405, OWN, {"POST"}),
    ("POST", "/health", 405, OWN, {"GET", "HEAD"}),
    ("GET", "/v1/completions", 405, OPENAI, {"POST"}),
    ("DELETE", "/infill", 405, LLAMA, {"POST"}),
    ("GET", "/api/generate", 405, OLLAMA, {"POST"}),
    ("POST", "/v1/chat/completions", 404, OPENAI, set()),
    ("POST", "/api/chat", 404, OLLAMA, set()),
    ("GET", "/", 404, OPENAI, set()),
]


def check(body: Any, form: str) -> None:  # noqa: ANN401 (JSON)
    """It is as the description says of that form."""
    components = description()["components"]
    jsonschema.validate(body, {**components["schemas"][form], "components": components})


@pytest.mark.parametrize(("method", "path", "status", "form", "allowed"), MISSED)
async def test_who_asks_at_the_wrong_address_is_told_in_a_form_that_they_read(
    method: str, path: str, status: int, form: str, allowed: set[str], tmp_path: Path
) -> None:
    async with serving(SteppingEngine(), tmp_path) as service:
        reply = await service.http.request(method, path)

    assert reply.status_code == status
    assert reply.headers["content-type"] == "application/json"
    check(reply.json(), form)
    assert set(reply.headers.get("allow", "").replace(" ", "").split(",")) - {""} == allowed


async def answer_to(port: int, sent: bytes) -> tuple[h11.Response, bytes]:
    """What a server says to some bytes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(sent)
    reading = h11.Connection(h11.CLIENT)
    reading.send(h11.Request(method="POST", target="/", headers=[("Host", "x")]))
    reading.send(h11.EndOfMessage())
    head, body = h11.Response(status_code=200, headers=[]), b""
    async with asyncio.timeout(10):
        while not isinstance(event := reading.next_event(), h11.EndOfMessage):
            if isinstance(event, h11.Response):
                head = event
            elif isinstance(event, h11.Data):
                body += bytes(event.data)
            else:
                reading.receive_data(await reader.read(65536))
    writer.close()
    return head, body


def head_of(path: str, method: str = "POST", more: str = "Content-Length: 0") -> bytes:
    lines = (f"{method} {path} HTTP/1.1", "Host: x", "Authorization: Bearer alpha", more, "", "")
    return "\r\n".join(lines).encode()


FORMS = [
    ("/v1/infill", OWN),
    ("/v1/completions", OPENAI),
    ("/infill", LLAMA),
    ("/api/generate", OLLAMA),
]


async def test_a_full_server_says_when_to_come_again_and_closes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "CONNECTIONS", 3)
    async with team_server(SteppingEngine(), tmp_path) as team:
        watching = [await asyncio.open_connection("127.0.0.1", team.port) for _ in range(2)]
        for reader, writer in watching:
            writer.write(head_of("/v1/events", "GET"))
            assert b" 200 " in await reader.readline()
        for path, form in FORMS:
            head, body = await answer_to(team.port, head_of(path))
            headers = dict(head.headers)
            assert headers[b"connection"] == b"close"
            assert head.status_code == 503
            assert headers[b"content-type"] == b"application/json"
            assert int(headers[b"retry-after"]) >= 1
            check(json.loads(body), form)
        for _, writer in watching:
            writer.close()
        told = (await _once_there_is_room(team.service.http)).text

    assert 'midfill_refusals_total{reason="busy"} ' in told
    assert 'midfill_requests_total{route="/v1/completions",status="503"} 1.0' in told


async def _once_there_is_room(http: httpx.AsyncClient) -> httpx.Response:
    while (reply := await http.get("/metrics")).status_code == 503:
        await asyncio.sleep(0.01)
    return reply


@pytest.mark.parametrize(("path", "form"), FORMS)
async def test_a_body_that_is_too_slow_is_refused_as_described(
    path: str, form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    patience = {"piece_seconds": 0.1, "body_seconds": 1.0}
    monkeypatch.setattr(body_guard.BodyGuard.__init__, "__kwdefaults__", patience)
    async with team_server(SteppingEngine(), tmp_path) as team:
        head, body = await answer_to(team.port, head_of(path, more="Content-Length: 100"))

    assert head.status_code == 408
    check(json.loads(body), form)


@pytest.mark.parametrize(
    "sent", [b"no HTTP at all\r\n\r\n", head_of("/health", more="X: " + 20_000 * "x")[:-4]]
)
async def test_what_is_no_http_is_refused_in_json(sent: bytes, tmp_path: Path) -> None:
    async with team_server(SteppingEngine(), tmp_path) as team:
        head, body = await answer_to(team.port, sent)

    assert head.status_code == 400
    check(json.loads(body), OWN)


@pytest.mark.parametrize(("path", "form"), FORMS)
async def test_a_wrong_token_is_refused_in_the_form_of_what_was_asked(
    path: str, form: str, tmp_path: Path
) -> None:
    async with team_server(SteppingEngine(), tmp_path) as team:
        wrong = {"Authorization": "Bearer guessed"}
        reply = await team.service.http.post(path, json={}, headers=wrong)

    assert reply.status_code == 401
    check(reply.json(), form)


async def test_a_fault_of_ours_is_told_in_the_form_of_what_was_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ValueError("c4n4ry")

    monkeypatch.setattr("midfill.inference.service.facade.desk.Desk.begin", broken)
    async with serving(SteppingEngine(), tmp_path) as service:
        hole = {"prompt": "a", "suffix": "b"}
        reply = await service.http.post("/v1/completions", json=hole)

    assert reply.status_code == 500
    assert "c4n4ry" not in reply.text
    check(reply.json(), OPENAI)


def test_the_description_names_every_status_of_every_route() -> None:
    paths = description()["paths"]
    for operation in OPERATIONS:
        told = set(paths[operation.path][operation.method]["responses"])
        assert {"401", "403", "429", "500", "503"} < told
        assert ({"408", "413"} <= told) == (operation.reads is not None)


async def test_who_forgets_lets_go_of_their_own_text_alone(tmp_path: Path) -> None:
    engine = SteppingEngine()
    async with team_server(engine, tmp_path) as team:
        as_bob = {"Authorization": "Bearer beta"}
        assert (await team.service.http.post("/v1/forget", headers=as_bob)).status_code == 202
        await eventually(lambda: engine.forgotten)

    assert engine.forgotten == ["bob"]
