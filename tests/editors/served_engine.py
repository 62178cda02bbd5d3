"""An engine at a port of this machine, for tools that know nothing of Midfill."""

from __future__ import annotations

import secrets
import socket
import subprocess
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import httpx
import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

READY_WITHIN = 120
"""Seconds that a busy machine may take to load the model."""


class Served:
    """An engine at a port of this machine.

    Attributes:
        url: without a path.
        token: opens it.
    """

    def __init__(self, folder: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.url, self.token = f"http://127.0.0.1:{port}", secrets.token_urlsafe(32)
        tokens = folder / "tokens"
        tokens.write_text(f"tests {self.token}\n")
        tokens.chmod(0o600)
        serve = [sys.executable, "-m", "midfill.lsp", "serve", "--host", "127.0.0.1"]
        self.process = subprocess.Popen(
            [*serve, "--port", str(port), "--token-file", str(tokens)], stderr=subprocess.DEVNULL
        )

    def wait(self) -> None:
        """Until the model is loaded."""
        headers = {"Authorization": f"Bearer {self.token}"}
        end = time.monotonic() + READY_WITHIN
        while time.monotonic() < end:
            assert self.process.poll() is None, "the engine has ended"
            with suppress(httpx.TransportError):
                if httpx.get(f"{self.url}/v1/health", headers=headers).status_code == 200:
                    return
            time.sleep(0.1)
        raise AssertionError("the engine is not ready")


@pytest.fixture(scope="module")
def served(
    own_engine: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[], Served]]:
    """What gives an engine, which is started once a test has all else that it needs."""
    engines: list[Served] = []

    def give() -> Served:
        if not engines:
            engines.append(Served(tmp_path_factory.mktemp("served")))
            engines[0].wait()
        return engines[0]

    yield give
    for engine in engines:
        engine.process.terminate()
        engine.process.wait(30)
