"""A team's server as its own process: TLS, tokens, the real model, and what it leaves behind."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING

import httpx
import pytest
import trustme
from editor import EVERYTHING, Editor

from midfill.inference.errors import EngineBusy, EngineUnavailable, MidfillError
from midfill.inference.service.token_file import new_token, revoke
from midfill.inference.transport import TlsAddress, client
from midfill.inference.wire import Draft, Extent, Final, HoleSpan, InfillRequest, Limits
from midfill.lsp.engine_client import EngineClient

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("embedded_files")

CANARY = "c4n4ry_in_the_source"
SUM = InfillRequest(prefix=f"# {CANARY}\ndef add(a, b):\n    return ", suffix="\n")


@dataclass
class Server:
    process: subprocess.Popen[str]
    url: str
    folder: Path
    tokens: dict[str, str]

    def address(self, name: str) -> TlsAddress:
        return TlsAddress(self.url, self.tokens[name])

    def get(self, path: str, name: str, patience: float = 20.0) -> httpx.Response:
        with client(self.address(name), httpx.Timeout(patience)) as http:
            return http.get(path)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Serves Ann, Bob, and somebody who may read the figures; they trust its issuer."""
    folder = tmp_path_factory.mktemp("team")
    (folder / "tmp").mkdir()
    issuer = trustme.CA()
    issuer.cert_pem.write_to_path(str(folder / "issuer.pem"))
    issuer.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(
        str(folder / "both.pem")
    )
    file = folder / "tokens"
    tokens = {name: new_token(file, name) for name in ("ann", "bob", "prom")}
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with pytest.MonkeyPatch.context() as patch, (folder / "log").open("w") as log:
        patch.setenv("SSL_CERT_FILE", str(folder / "issuer.pem"))
        pem = str(folder / "both.pem")
        options = ["--host", "127.0.0.1", "--port", str(port), "--token-file", str(file)]
        options += ["--tls-cert", pem, "--tls-key", pem]
        options += ["--metrics-token", "prom", "--log-format", "json"]
        process = subprocess.Popen(
            [sys.executable, "-m", "midfill.lsp", "serve", *options],
            stderr=log,
            text=True,
            env={**os.environ, "TMPDIR": str(folder / "tmp")},
        )
        server = Server(process, f"https://localhost:{port}", folder, tokens)
        try:
            give_up_at = time.monotonic() + 60
            while not _ready(server):
                assert process.poll() is None, (folder / "log").read_text()
                assert time.monotonic() < give_up_at, "it takes too long"
                time.sleep(0.1)
            yield server
        finally:
            process.kill()
            process.wait()


def _ready(server: Server) -> bool:
    try:
        return bool(server.get("/health", "ann").json()["state"] == "ready")
    except httpx.TransportError:
        return False


async def fill(server: Server, name: str, request: InfillRequest = SUM) -> list[Draft | Final]:
    engine = EngineClient(server.address(name))
    try:
        return [result async for result in engine.infill(request)]
    finally:
        await engine.aclose()


async def test_members_fill_and_others_do_not(server: Server) -> None:
    final = (await fill(server, "ann"))[-1]
    assert isinstance(final, Final)
    assert final.text == "a + b"
    with pytest.raises(MidfillError, match="token"):
        await EngineClient(TlsAddress(server.url, "guessed")).health()
    with pytest.raises(MidfillError, match="for something else"):
        await fill(server, "prom")


async def test_members_cannot_end_it(server: Server) -> None:
    with pytest.raises(MidfillError, match="for whoever runs this server"):
        await EngineClient(server.address("ann")).drain()


def test_the_command_line_fills_there(server: Server) -> None:
    file = server.folder / "sum.py"
    file.write_text(f"# {CANARY}\ndef add(a, b):\n    return \n")

    arguments = ("fill", f"{file}:3:12", "--endpoint", server.url, "--json")

    done = subprocess.run(
        [sys.executable, "-m", "midfill.lsp", *arguments],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "MIDFILL_TOKEN": server.tokens["bob"]},
    )

    assert json.loads(done.stdout)["text"] == "a + b"


async def test_an_editor_is_given_its_suggestions_and_nothing_is_started_here(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MIDFILL_RUNTIME_DIR", str(tmp_path / "run"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.delenv("MIDFILL_TOKEN", raising=False)
    (tmp_path / "token").write_text(server.tokens["ann"])
    (tmp_path / "token").chmod(0o600)
    work = tmp_path / "work"
    work.mkdir()
    (work / ".midfill.toml").write_text('endpoint = "https://127.0.0.1:1"\n')
    file = (work / "sum.py").as_uri()
    editor = Editor()
    own = {"endpoint": server.url, "endpointTokenFile": str(tmp_path / "token")}
    await editor.open_window(options={**EVERYTHING, **own}, folder=work)

    await editor.ready()
    editor.show(file, "def add(a, b):\n    return \n")
    suggestion = await editor.suggestion(file, 1, 11)
    assert await editor.close_window() == 0

    assert suggestion.insert_text == "a + b"
    assert any("endpoint is for your own settings alone" in shown for shown in editor.shown)
    assert not (tmp_path / "run").exists()


async def test_an_editor_without_a_good_token_is_told_in_one_line(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MIDFILL_RUNTIME_DIR", str(tmp_path / "run"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("MIDFILL_TOKEN", "guessed")
    editor = Editor()
    await editor.open_window(options={"endpoint": server.url})

    status = await editor.status(lambda status: status.state == "failed")
    editor.show("file:///a.py", "def add(a, b):\n    return \n")
    answer = await editor.ask("file:///a.py", 1, 11)
    why = await editor.run_command("midfill.explain", "file:///a.py")
    assert await editor.close_window() == 0

    assert f"{server.url} does not take your token" in status.detail
    assert answer is not None
    assert not answer.items
    assert f"{server.url} does not take your token" in why
    assert "\n" not in why
    assert not (tmp_path / "run").exists()


def test_its_health_is_that_of_a_fill(server: Server) -> None:
    answer = server.get("/health/deep", "ann")

    assert answer.status_code == 200
    assert answer.json()["steps"] >= 1


def test_its_figures_are_for_one_token(server: Server) -> None:
    figures = server.get("/metrics", "prom")

    assert figures.status_code == 200
    assert 'midfill_requests_total{route="/v1/infill",status="200"}' in figures.text
    assert CANARY not in figures.text
    assert server.get("/metrics", "ann").status_code == 403


def test_a_revoked_token_is_good_for_nothing_at_once(server: Server) -> None:
    assert server.get("/health", "bob").status_code == 200

    revoke(server.folder / "tokens", "bob")

    assert server.get("/health", "bob").status_code == 401
    assert server.get("/health", "ann").status_code == 200


async def test_told_to_end_it_answers_what_runs_and_leaves_no_text(server: Server) -> None:
    long = InfillRequest(
        prefix=f"# {CANARY}: all primes below a million, one a line\n",
        holes=(HoleSpan(start=68, end=68, extent=Extent.LINES),),
        suffix=f"\n# {CANARY}\n",
        limits=Limits(tokens=60, deadline_ms=20_000),
    )
    engine = EngineClient(server.address("ann"))
    async with aclosing(engine.infill(long)) as running:
        await anext(running)
        server.process.send_signal(signal.SIGTERM)
        refused = False
        results = []
        async for result in running:
            results.append(result)
            if not refused:
                refused = await _refused(server)
    status = await asyncio.to_thread(server.process.wait, 30)

    assert isinstance(results[-1], Final)
    assert refused
    assert status == 0
    log = (server.folder / "log").read_text()
    lines = [json.loads(line) for line in log.splitlines()]
    filled = [line for line in lines if line.get("route") == "/v1/infill" and "steps" in line]
    assert {line["caller"] for line in filled} == {"ann", "bob"}
    assert all(line["ms"]["total"] > 0 and line["steps"] > 0 for line in filled)
    assert CANARY not in log
    assert not any(token in log for token in server.tokens.values())
    left = [path for path in (server.folder / "tmp").rglob("*") if path.is_file()]
    assert not any(CANARY.encode() in path.read_bytes() for path in left)


async def _refused(server: Server) -> bool:
    try:
        await fill(server, "ann")
    except (EngineBusy, EngineUnavailable):
        return True
    return False
