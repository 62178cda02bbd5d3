"""A whole engine process around a `SteppingEngine`, at the address that the environment says.

python stepping_server.py MODEL [--grace SECONDS] [--version V] [--log FILE] [--die-at-start]
"""

from __future__ import annotations

import argparse
import os
import signal
from pathlib import Path

from stepping_engine import SteppingEngine

from midfill.inference.service import server
from midfill.inference.transport import engine_address
from midfill.lsp.engine_log import log_to_file, log_to_stderr


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("model")
    parser.add_argument("--grace", type=float)
    parser.add_argument("--idle-after", type=float, default=600.0)
    parser.add_argument("--version")
    parser.add_argument("--log", type=Path)
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--step-seconds", type=float, default=0.01)
    parser.add_argument("--load-seconds", type=float, default=0.0)
    parser.add_argument("--die-at-start", action="store_true")
    options = parser.parse_args()
    if options.log:
        log_to_file(options.log)
    else:
        log_to_stderr()
    if options.version:
        server.version = lambda: options.version  # type: ignore[assignment]

    def make_engine() -> SteppingEngine:
        if options.die_at_start:
            os.kill(os.getpid(), signal.SIGKILL)
        return SteppingEngine(
            steps=options.steps,
            step_seconds=options.step_seconds,
            load_seconds=options.load_seconds,
        )

    server.serve(
        make_engine,
        options.model,
        engine_address(options.model),
        limits=server.ServiceLimits(
            idle_after=options.idle_after, grace=options.grace, drain_within=5.0
        ),
    )


if __name__ == "__main__":
    main()
