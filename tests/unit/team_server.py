"""A team's server in this process, as its members reach it: with tokens, over TLS."""

from __future__ import annotations

import socket
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import trustme
from serving import serving

from midfill.inference.service.access import access_for
from midfill.inference.service.tls import TlsFiles
from midfill.inference.service.token_file import TokenFile
from midfill.inference.transport import TcpAddress, TlsAddress

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    import pytest
    from serving import Service
    from stepping_engine import SteppingEngine

    from midfill.inference.service.server import ServiceLimits


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def certify(folder: Path, monkeypatch: pytest.MonkeyPatch, *names: str) -> TlsFiles:
    """A certificate, for 127.0.0.1 unless other names are given; this process trusts its issuer."""
    issuer = trustme.CA()
    files = TlsFiles(folder / "server.pem", folder / "server.key")
    certificate = issuer.issue_cert(*(names or ("127.0.0.1",)))
    certificate.private_key_pem.write_to_path(str(files.key))
    certificate.cert_chain_pems[0].write_to_path(str(files.certificate))
    issuer.cert_pem.write_to_path(str(folder / "issuer.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(folder / "issuer.pem"))
    return files


@dataclass
class Team:
    """Attributes: tokens: the file; ``alpha`` is Ann's token and ``beta`` Bob's."""

    service: Service
    port: int
    tokens: Path

    @property
    def url(self) -> str:
        return str(self.service.address)


@asynccontextmanager
async def team_server(
    engine: SteppingEngine,
    folder: Path,
    tls: TlsFiles | None = None,
    limits: ServiceLimits | None = None,
    **options: object,
) -> AsyncIterator[Team]:
    """A server for Ann and Bob, as one that listens beyond loopback is protected.

    Args:
        options: those of `access_for`.
    """
    tokens = folder / "tokens"
    tokens.write_text("ann alpha\nbob beta\n")
    tokens.chmod(0o600)
    port = free_port()
    files = {"certificate": tls.certificate, "key": tls.key} if tls else {"plain_http": True}
    access = access_for("192.0.2.1", TokenFile(tokens), **files, **options)  # type: ignore[arg-type]
    there = (
        TlsAddress(f"https://127.0.0.1:{port}", "alpha")
        if tls
        else TcpAddress("127.0.0.1", port, "alpha")
    )
    async with serving(
        engine, folder, limits, TcpAddress("127.0.0.1", port), access, there
    ) as service:
        yield Team(service, port, tokens)
