"""Midfill's own command line in its own process, but engines are an `EchoEngine`.

``ECHO_PATIENCE`` is how many seconds a slow client is given instead of the usual ten.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import ModuleType

HERE = Path(__file__).resolve()
sys.path.insert(0, str(HERE.parent))

import echo_engine  # noqa: E402

from midfill.inference.service import body_guard, connections  # noqa: E402
from midfill.lsp import engine_process  # noqa: E402
from midfill.lsp.__main__ import main  # noqa: E402


def put_in_place() -> None:
    """`serve` makes engines of ours, and a language server starts this file."""
    engines = ModuleType("midfill.inference.engine")
    engines.Engine = echo_engine.EchoEngine  # type: ignore[attr-defined]
    sys.modules[engines.__name__] = engines
    reading = ModuleType("midfill.inference.models.embedded.reading_ahead")
    reading.read_ahead = lambda: None  # type: ignore[attr-defined]
    sys.modules[reading.__name__] = reading
    assert engine_process.start_engine.__kwdefaults__
    engine_process.start_engine.__kwdefaults__["command"] = lambda model: [
        *(sys.executable, str(HERE), "serve", "--on-demand", "--model", model)
    ]


def be_patient(seconds: float) -> None:
    connections.HEAD_SECONDS = connections.STALL_SECONDS = seconds
    defaults = body_guard.BodyGuard.__init__.__kwdefaults__
    defaults.update(piece_seconds=seconds, body_seconds=2 * seconds)


if __name__ == "__main__":
    put_in_place()
    if patience := os.environ.get("ECHO_PATIENCE"):
        be_patient(float(patience))
    main()
