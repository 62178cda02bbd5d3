"""A ``midfill serve`` of the tests' own, in a process of its own."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import psutil

from midfill.inference.transport import TcpAddress, UnixAddress, client

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from midfill.inference.transport import Address

MIDFILL = Path(__file__).with_name("echo_midfill.py")
ECHOING = (str(MIDFILL), "serve", "--model", "m")
REAL = ("-m", "midfill.lsp", "serve")
READY_WITHIN = 60.0
MEMBERS = ("ann", "bob", "cid", "dora", "eve")


@dataclass
class EchoService:
    """A running server.

    Attributes:
        address: as its first member reaches it.
        log: what it writes.
    """

    process: subprocess.Popen[bytes]
    address: Address
    log: Path

    @property
    def port(self) -> int:
        assert isinstance(self.address, TcpAddress)
        return self.address.port

    def as_member(self, name: str) -> TcpAddress:
        return TcpAddress("127.0.0.1", self.port, token_of(name))

    def wait(self) -> None:
        """Until its model is loaded."""
        give_up_at = time.monotonic() + READY_WITHIN
        while not self.ready():
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < give_up_at, "it takes too long"
            time.sleep(0.02)

    def ready(self) -> bool:
        with suppress(httpx.TransportError), client(self.address, httpx.Timeout(10)) as http:
            return bool(http.get("/health").json()["state"] == "ready")
        return False

    def holds(self, port: int) -> bool:
        """Whether it has a connection with another port of this machine."""
        found = psutil.Process(self.process.pid).net_connections("tcp4")
        return any(it.raddr and it.raddr.port == port for it in found)

    def resident(self) -> int:
        """Bytes of memory."""
        return int(psutil.Process(self.process.pid).memory_info().rss)

    def cpu_seconds(self) -> float:
        times = psutil.Process(self.process.pid).cpu_times()
        return float(times.user + times.system)

    def end(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()


def token_of(name: str) -> str:
    """A member's token; the test of guesses knows nothing of its form."""
    return f"token-of-{name}-Zk3"


def start(
    folder: Path,
    address: Address,
    *options: str,
    program: Sequence[str] = ECHOING,
    **variables: str,
) -> EchoService:
    """Start a server, its log and all its temporary files in a folder.

    Args:
        options: of ``midfill serve``.
        variables: of its environment.
    """
    (folder / "tmp").mkdir(exist_ok=True)
    log = folder / "log"
    with log.open("ab") as out:
        process = subprocess.Popen(
            [sys.executable, *program, *options],
            stderr=out,
            env={**os.environ, "TMPDIR": str(folder / "tmp"), **variables},
        )
    return EchoService(process, address, log)


def start_at_socket(folder: Path, **variables: str) -> EchoService:
    """One at the socket ``e.sock`` of a folder."""
    path = folder / "e.sock"
    return start(folder, UnixAddress(path), "--socket", str(path), **variables)


@contextmanager
def team(
    folder: Path, *options: str, program: Sequence[str] = ECHOING, **variables: str
) -> Iterator[EchoService]:
    """One on loopback for the `MEMBERS`, protected as one that listens elsewhere."""
    tokens = folder / "tokens"
    tokens.write_text("".join(f"{name} {token_of(name)}\n" for name in MEMBERS))
    tokens.chmod(0o600)
    port = free_port()
    at = ("--host", "127.0.0.1", "--port", str(port), "--token-file", str(tokens))
    address = TcpAddress("127.0.0.1", port, token_of(MEMBERS[0]))
    service = start(folder, address, *at, "--plain-http", *options, program=program, **variables)
    try:
        service.wait()
        yield service
    finally:
        service.end()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
