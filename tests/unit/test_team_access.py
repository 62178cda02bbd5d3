"""Who is let in to a team's server that listens for real: by a proxy's word, by size, by TLS."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from stepping_engine import SteppingEngine
from team_server import certify, team_server

from midfill.inference.errors import UsageError
from midfill.inference.service.tls import TlsFiles

if TYPE_CHECKING:
    from pathlib import Path


async def test_requests_that_a_proxy_passes_on_come_from_where_it_says(tmp_path: Path) -> None:
    async with team_server(SteppingEngine(), tmp_path, proxy="127.0.0.1") as team:
        http = team.service.http
        wrong = {"Authorization": "Bearer guess", "X-Forwarded-For": "192.0.2.1"}
        statuses = [(await http.get("/health", headers=wrong)).status_code for _ in range(25)]
        guesser = await http.get("/health", headers={"X-Forwarded-For": "192.0.2.1"})
        other = await http.get("/health", headers={"X-Forwarded-For": "192.0.2.2"})

    assert statuses == [401] * 20 + [429] * 5
    assert guesser.status_code == 429
    assert other.status_code == 200


async def test_nobody_else_is_believed_about_where_requests_come_from(tmp_path: Path) -> None:
    async with team_server(SteppingEngine(), tmp_path) as team:
        statuses = [
            (
                await team.service.http.get(
                    "/health",
                    headers={
                        "Authorization": "Bearer guess",
                        "X-Forwarded-For": f"192.0.2.{number}",
                    },
                )
            ).status_code
            for number in range(22)
        ]

    assert statuses == [401] * 20 + [429] * 2


async def test_a_smaller_limit_on_bodies_holds_on_every_route(tmp_path: Path) -> None:
    large = {"prefix": "x" * 2000}
    async with team_server(SteppingEngine(), tmp_path, max_body=1000) as team:
        http = team.service.http
        for path in ("/v1/infill", "/v1/prompt", "/infill"):
            answer = await http.post(path, json=large)
            assert (path, answer.status_code) == (path, 413)
        assert (await http.post("/v1/infill", json={"prefix": "x"})).status_code == 200


def test_files_that_are_no_certificate_and_key_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tls = certify(tmp_path, monkeypatch)
    (tmp_path / "other.pem").write_text("nonsense")
    for certificate, key in (
        (tls.certificate, tmp_path / "missing"),
        (tmp_path / "other.pem", tls.key),
        (tls.key, tls.certificate),
    ):
        with pytest.raises(UsageError) as refused:
            TlsFiles(certificate, key).context()
        assert os.fspath(tmp_path) in str(refused.value)
