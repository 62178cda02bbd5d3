"""A language server that uses a team's server: reached over TLS, or one clear line why not."""

from __future__ import annotations

import asyncio
import socket
import time
from typing import TYPE_CHECKING

import pytest
from serving import eventually
from starlette.responses import PlainTextResponse
from stepping_engine import SteppingEngine
from team_server import certify, free_port, team_server

from midfill.inference.errors import MidfillError, TooManyRequests
from midfill.inference.service import gate, server
from midfill.inference.service.token_file import revoke
from midfill.inference.transport import TlsAddress
from midfill.inference.version import version
from midfill.inference.wire import Draft, Final, InfillRequest
from midfill.lsp.doctor_checks import Status
from midfill.lsp.doctor_endpoint import check_endpoint
from midfill.lsp.engine_client import EngineClient
from midfill.lsp.engine_link import Endpoint, EngineLink
from midfill.lsp.restart_policy import RestartPolicy
from midfill.lsp.silence import not_ready

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from midfill.inference.service.tls import TlsFiles
    from midfill.inference.wire import Health

    Connect = Callable[..., EngineLink]

REQUEST = InfillRequest(prefix="a = ")


@pytest.fixture
def tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TlsFiles:
    return certify(tmp_path, monkeypatch)


@pytest.fixture
def told() -> list[Health]:
    return []


@pytest.fixture
async def connect(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, told: list[Health]
) -> AsyncIterator[Connect]:
    """Makes links to an endpoint, which show Ann's token; none of them may start an engine."""
    monkeypatch.setenv("MIDFILL_RUNTIME_DIR", str(tmp_path / "run"))
    monkeypatch.setenv("MIDFILL_TOKEN", "alpha")
    links: list[EngineLink] = []

    async def start(model: str, address: object) -> None:
        pytest.fail("an engine was started on this machine")

    def connect(url: str, token_file: str = "") -> EngineLink:
        policy = RestartPolicy(first_delay=0.01, failures=3, pause=0.2)
        endpoint = Endpoint(url, token_file)
        link = EngineLink("embedded", told.append, start, policy, endpoint)
        links.append(link)
        link.start()
        return link

    yield connect
    for link in links:
        await link.close()
    assert not (tmp_path / "run").exists()


async def filled(link: EngineLink) -> Draft | Final:
    return [result async for result in link.infill(REQUEST)][-1]


async def failed(link: EngineLink) -> str:
    """What the status says once the link has given up for now."""
    await eventually(lambda: link.health is not None and link.health.state == "failed")
    assert link.health
    assert "\n" not in link.health.detail
    return link.health.detail


async def test_an_endpoint_is_asked_over_tls_with_the_token(
    tmp_path: Path, tls: TlsFiles, connect: Connect, told: list[Health]
) -> None:
    async with team_server(SteppingEngine(), tmp_path, tls) as team:
        link = connect(team.url)
        await eventually(lambda: link.ready)
        assert isinstance(await filled(link), Final)
        assert link.health
        assert link.health.model == "stepping"
    assert told[0].detail == f"connecting to {team.url}"


async def test_connections_to_a_server_elsewhere_are_used_again(
    tmp_path: Path, tls: TlsFiles, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = 0
    made = server.BoundedConnection.connection_made

    def counting(self: object, transport: asyncio.Transport) -> None:
        nonlocal opened
        opened += 1
        made(self, transport)  # type: ignore[arg-type]

    monkeypatch.setattr(server.BoundedConnection, "connection_made", counting)
    async with team_server(SteppingEngine(steps=1), tmp_path, tls) as team:
        link = connect(team.url)
        await eventually(lambda: link.ready)
        before = opened
        for _ in range(5):
            await filled(link)
        assert opened - before <= 1


async def test_a_socket_is_an_endpoint_too(tmp_path: Path, connect: Connect) -> None:
    from serving import serving

    async with serving(SteppingEngine(), tmp_path) as service:
        link = connect(f"unix:{service.address}")
        await eventually(lambda: link.ready)
        assert isinstance(await filled(link), Final)
        await link.close()


async def test_a_server_that_is_not_there_is_tried_a_few_times(connect: Connect) -> None:
    url = f"https://127.0.0.1:{free_port()}"

    detail = await failed(connect(url))

    assert f"no engine answers at {url}" in detail
    assert f"midfill doctor --endpoint {url}" in detail


async def test_a_server_is_found_when_it_comes_later(
    tmp_path: Path, tls: TlsFiles, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = free_port()
    monkeypatch.setattr("team_server.free_port", lambda: port)
    link = connect(f"https://127.0.0.1:{port}")
    await failed(link)

    async with team_server(SteppingEngine(), tmp_path, tls):
        give_up_at = time.monotonic() + 10
        while not link.ready:
            assert time.monotonic() < give_up_at
            link.ask_to_load()
            await asyncio.sleep(0.05)
        assert isinstance(await filled(link), Final)


async def test_a_certificate_of_another_name_or_issuer_is_not_trusted(
    tmp_path: Path, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    for names, trusted in ((("elsewhere.example",), True), (("127.0.0.1",), False)):
        tls = certify(tmp_path, monkeypatch, *names)
        if not trusted:
            monkeypatch.delenv("SSL_CERT_FILE")
        async with team_server(SteppingEngine(), tmp_path, tls) as team:
            detail = await failed(connect(team.url))
        assert f"{team.url}: its certificate is not to be trusted" in detail


async def test_what_speaks_no_tls_is_said_to_speak_none(tmp_path: Path, connect: Connect) -> None:
    async with team_server(SteppingEngine(), tmp_path) as team:
        assert "speaks no TLS" in await failed(connect(f"https://127.0.0.1:{team.port}"))


@pytest.mark.parametrize(
    ("token", "words"),
    [("wrong", "does not take your token"), ("", "wants a token: run `midfill token store")],
)
async def test_a_token_that_is_refused_or_missing_is_named(
    token: str,
    words: str,
    tmp_path: Path,
    tls: TlsFiles,
    connect: Connect,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MIDFILL_TOKEN", token)
    monkeypatch.setattr("midfill.lsp.endpoint_token._from_keyring", lambda name: "")
    async with team_server(SteppingEngine(), tmp_path, tls) as team:
        link = connect(team.url)
        detail = await failed(link)
        finding = await asyncio.to_thread(check_endpoint, team.url)

    assert words in detail
    assert words in str(not_ready(link.health))
    assert finding.status is Status.WRONG


async def test_a_revoked_token_ends_what_runs_with_it_and_says_so(
    tmp_path: Path, tls: TlsFiles, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gate, "REVOCATION_SECONDS", 0.05)
    engine = SteppingEngine(steps=100_000, step_seconds=0.01)
    async with team_server(engine, tmp_path, tls) as team:
        link = connect(team.url)
        await eventually(lambda: link.ready)
        other = EngineClient(TlsAddress(team.url, "alpha"))
        running = other.infill(REQUEST)
        await anext(running)

        revoke(team.tokens, "ann")

        with pytest.raises(MidfillError, match="revoked") as ended:
            async for _ in running:
                pass
        assert ended.value.code == "unauthorized"
        assert "the token has been revoked" in await failed(link)
        done = engine.steps_done
        await asyncio.sleep(0.1)
        assert engine.steps_done - done <= 2
        await other.aclose()


async def test_another_version_is_named_and_not_drained(
    tmp_path: Path, tls: TlsFiles, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "version", lambda: "9.9")
    async with team_server(SteppingEngine(), tmp_path, tls) as team:
        detail = await failed(connect(team.url))
        assert (await team.service.http.get("/health")).json()["state"] == "ready"

    assert f"{team.url} runs Midfill 9.9, and this is {version()}: install the same" in detail


async def test_who_is_told_to_wait_waits(
    tmp_path: Path, tls: TlsFiles, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with team_server(SteppingEngine(steps=1), tmp_path, tls, per_minute=30) as team:
        link = connect(team.url)  # two requests of a burst of five
        await eventually(lambda: link.ready)
        for _ in range(3):
            await filled(link)
        with pytest.raises(TooManyRequests, match="more often than this server allows") as first:
            await filled(link)
        asked = await _asked(team.service.http)
        with pytest.raises(TooManyRequests) as second:
            await filled(link)

        assert await _asked(team.service.http) == asked
        assert 0 < (second.value.retry_after or 0) <= (first.value.retry_after or 0) <= 2
        assert link.ready


async def _asked(http: object) -> float:
    answer = await http.get("/metrics", headers={"Authorization": "Bearer beta"})  # type: ignore[attr-defined]
    lines = answer.text.splitlines()
    return sum(float(line.rpartition(" ")[2]) for line in lines if 'route="/v1/infill"' in line)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://fill.example:80", "unencrypted: use https://"),
        ("fill.example", "write https://HOST:PORT"),
        ("https://ann:alpha@fill.example", "and no token"),
    ],
)
async def test_an_endpoint_that_may_not_be_is_not_asked(
    url: str, words: str, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        pytest.fail("somebody was asked")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)

    detail = await failed(connect(url))

    assert words in detail
    assert "alpha" not in detail.replace(url, "")


async def test_a_full_server_or_a_proxy_in_front_is_one_clear_line(connect: Connect) -> None:
    async def full(scope: object, receive: object, send: object) -> None:
        await PlainTextResponse("Service Unavailable", 503)(scope, receive, send)  # type: ignore[arg-type]

    import uvicorn

    port = free_port()
    config = uvicorn.Config(full, port=port, log_config=None, lifespan="off")  # type: ignore[arg-type]
    running = uvicorn.Server(config)
    serving = asyncio.create_task(running._serve())
    await eventually(lambda: running.started)

    detail = await failed(connect(f"http://127.0.0.1:{port}"))

    running.should_exit = True
    await serving
    assert "the engine answered with HTTP status 503" in detail


async def test_the_doctor_looks_at_an_endpoint(
    tmp_path: Path, tls: TlsFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MIDFILL_TOKEN", "alpha")
    async with team_server(SteppingEngine(), tmp_path, tls) as team:
        good = await asyncio.to_thread(check_endpoint, team.url)
    gone = await asyncio.to_thread(check_endpoint, team.url)

    assert good.status is Status.OK
    assert f"{team.url}, ready, version {version()}, model stepping" in good.value
    assert gone.status is Status.WRONG
    assert "no engine answers" in gone.advice
    assert check_endpoint("nonsense").status is Status.WRONG
