"""Whether a server that is used, and misused, for a long time keeps its memory.

Starts `midfill serve` with the embedded model on a loopback port with tokens, and for some minutes
several people type in documents of their own; some of them leave before their answer has come, and
malformed requests and wrong tokens come in between::

    python benchmarks/soak.py                    # ten minutes, a table, exit status 1 if it grows
    python benchmarks/soak.py --minutes 2 --json > figures.json

What an engine keeps is bounded: contexts up to ``--context-mib``, callers and addresses up to fixed
numbers. It takes a while to fill up, so the first third does not count. After that the memory is
read every other second, and a line laid through it. The engine grows if that line rises by more
than `GROWTH_MIB` over the rest of the run, which is the size of two contexts, and what an
allocator may keep in odd places; or if open files or threads get more. The bound is the same for
runs of any length: in ten minutes a leak of some ten kilobytes a request goes beyond it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import secrets
import socket
import subprocess
import sys
import tempfile
from collections import Counter
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict, dataclass, field
from itertools import cycle, islice
from pathlib import Path
from statistics import linear_regression
from time import monotonic
from typing import TYPE_CHECKING, Any

import httpx
import psutil
from rich.console import Console
from rich.table import Table
from service_load import documents

from midfill.inference.server_sent_events import EventReader
from midfill.inference.transport import TcpAddress, async_client

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from service_load import Typing

PEOPLE = 5
CONTEXT_MIB = 8
"""So little that it is full within the first minute, and cannot pass for a leak later on."""

PAUSE = 0.2
"""Seconds between two requests of one person, mean."""

DOCUMENTS, AT_ONE = 20, 40
"""Documents of each person, and requests before they turn to the next; then from the start."""

LEAVING = 0.25
"""So many requests are given up before their answer has come."""

MALFORMED = (
    (b"", 422),
    (b"[" * 10_000, 422),
    (b'{"prefix": 7}', 422),
    (b'{"prefix": "a", "unknown": 1}', 422),
    (b'{"prefix": "\\ud800"}', 422),
    (b"\xff" * 100_000, 422),
    (b'{"prefix": "' + b"x" * 9 * 2**20, 413),
)

WARM = 1 / 3
EVERY = 2.0
GROWTH_MIB = 24.0
SPARE_FILES = 2 * PEOPLE + 8
"""Connections that may happen to be open or shut as one looks."""

START_WITHIN = 120.0


@dataclass(frozen=True, slots=True)
class Sample:
    """What the engine's process holds: bytes but for the last two; ``seconds`` since the start."""

    seconds: float
    rss: int
    pss: int
    files: int
    threads: int


@dataclass
class Server:
    """An engine of this program's own; ``tokens`` by the names of people."""

    process: psutil.Process
    port: int
    tokens: dict[str, str]

    def client(self, token: str) -> httpx.AsyncClient:
        return async_client(TcpAddress("127.0.0.1", self.port, token), httpx.Timeout(60.0))

    def sample(self, began: float) -> Sample:
        memory = self.process.memory_full_info()
        return Sample(
            monotonic() - began,
            memory.rss,
            getattr(memory, "pss", memory.uss),
            self.process.num_fds(),
            self.process.num_threads(),
        )


@dataclass
class Load:
    """What was asked, and what came of it.

    Attributes:
        outcomes: how many of which kind.
        wrong: answers that should not have come about.
    """

    until: float
    outcomes: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)

    def goes_on(self) -> bool:
        return monotonic() < self.until


@asynccontextmanager
async def server() -> AsyncIterator[Server]:
    """A server whose model is loaded."""
    tokens = {f"person{number}": secrets.token_urlsafe(16) for number in range(PEOPLE)}
    with tempfile.TemporaryDirectory() as folder, socket.socket() as probe:
        file = Path(folder) / "tokens"
        file.write_text("".join(f"{name} {token}\n" for name, token in tokens.items()))
        file.chmod(0o600)
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        probe.close()
        at = ("--host", "127.0.0.1", "--port", str(port), "--token-file", str(file), "--rate", "0")
        process = subprocess.Popen(
            [sys.executable, "-m", "midfill.lsp", "serve", *at, "--context-mib", str(CONTEXT_MIB)],
            stderr=subprocess.DEVNULL,
            env={**os.environ, "MIDFILL_RUNTIME_DIR": folder},
        )
        running = Server(psutil.Process(process.pid), port, tokens)
        try:
            await ready(running)
            yield running
        finally:
            process.terminate()
            process.wait(60)


async def ready(running: Server) -> None:
    end = monotonic() + START_WITHIN
    async with running.client(next(iter(running.tokens.values()))) as client:
        while monotonic() < end:
            with suppress(httpx.TransportError):
                if (await client.get("/health")).json()["state"] == "ready":
                    return
            await asyncio.sleep(0.2)
    raise SystemExit("the engine did not get ready")


async def type_on(running: Server, name: str, typed: Sequence[Typing], load: Load) -> None:
    """One person, who types a while in one document and then in the next."""
    chance = random.Random(name)
    requests = (request for it in cycle(typed) for request in islice(it.requests(), AT_ONE))
    async with running.client(running.tokens[name]) as client:
        while load.goes_on():
            patience = chance.uniform(0, 0.5) if chance.random() < LEAVING else 60.0
            body = next(requests).model_dump_json()
            try:
                async with asyncio.timeout(patience):
                    answer = await client.post("/v1/infill", content=body)
            except TimeoutError:
                load.outcomes["left"] += 1
            else:
                last = EventReader().feed(answer.content)[-1].name if answer.is_success else ""
                load.outcomes[last or str(answer.status_code)] += 1
                if last != "final":
                    load.wrong.append(answer.text[-200:])
            await asyncio.sleep(chance.expovariate(1 / PAUSE))


async def misuse(running: Server, load: Load) -> None:
    """Malformed requests, wrong tokens, and connections that say nothing."""
    chance = random.Random(0)
    token = next(iter(running.tokens.values()))
    async with running.client(token) as client, running.client("wrong") as guessing:
        while load.goes_on():
            body, expected = chance.choice(MALFORMED)
            answer = await client.post("/v1/infill", content=body)
            load.outcomes["malformed"] += 1
            if answer.status_code != expected:
                load.wrong.append(f"{answer.status_code} instead of {expected}")
            # Only now and then: who guesses on is not listened to, and all here have one address.
            if chance.random() < 0.02 and load.outcomes["guessed"] < 15:
                load.outcomes["guessed"] += 1
                if (await guessing.get("/health")).status_code != httpx.codes.UNAUTHORIZED:
                    load.wrong.append("a wrong token was let through")
            _, silent = await asyncio.open_connection("127.0.0.1", running.port)
            silent.write(b"POST /v1/infill HTTP/1.1\r\nHost: localhost\r\n")
            await asyncio.sleep(chance.expovariate(1 / PAUSE))
            silent.close()
            load.outcomes["silent"] += 1


async def soak(minutes: float, console: Console) -> tuple[list[Sample], Load]:
    typed = documents(PEOPLE * DOCUMENTS, number=0)
    async with server() as running:
        began = monotonic()
        load = Load(began + 60 * minutes)
        asking = [
            *(
                asyncio.create_task(type_on(running, name, typed[number::PEOPLE], load))
                for number, name in enumerate(running.tokens)
            ),
            asyncio.create_task(misuse(running, load)),
        ]
        samples = []
        while load.goes_on():
            samples.append(running.sample(began))
            for task in asking:
                if task.done():
                    task.result()  # what ended it is raised here
            await asyncio.sleep(EVERY)
        await asyncio.gather(*asking)
        console.print(f"{dict(load.outcomes)}")
        return samples, load


def figures_of(samples: Sequence[Sample]) -> dict[str, Any]:
    """What has become of the process: MiB, MiB a minute by a line through the samples, counts."""
    warm = [it for it in samples if it.seconds >= WARM * samples[-1].seconds]
    minutes = [it.seconds / 60 for it in warm]
    figures: dict[str, Any] = {"samples": len(warm), "minutes": minutes[-1] - minutes[0]}
    for name in ("rss", "pss"):
        mib = [getattr(it, name) / 2**20 for it in (samples[0], *warm)]
        figures |= {
            f"{name}_start_mib": mib[0],
            f"{name}_warm_mib": mib[1],
            f"{name}_end_mib": mib[-1],
        }
    # The PSS also changes as other processes begin or end that map the same files.
    slope = linear_regression(minutes, [it.rss / 2**20 for it in warm]).slope
    figures |= {
        "rss_mib_a_minute": slope,
        "rss_growth_mib": slope * figures["minutes"],
    }
    for name in ("files", "threads"):
        values = [getattr(it, name) for it in warm]
        figures |= {f"{name}_warm": max(values[: len(values) // 2]), f"{name}_end": values[-1]}
    return figures


def faults_in(figures: dict[str, Any], load: Load) -> list[str]:
    """What is not as it should be, a line each."""
    found = [f"a wrong answer: {it}" for it in load.wrong[:5]]
    if (growth := figures["rss_growth_mib"]) > GROWTH_MIB:
        found.append(f"memory grew by {growth:.0f} MiB, more than {GROWTH_MIB:.0f}")
    if figures["files_end"] > figures["files_warm"] + SPARE_FILES:
        found.append(f"{figures['files_end']} open files, after {figures['files_warm']}")
    if figures["threads_end"] > figures["threads_warm"]:
        found.append(f"{figures['threads_end']} threads, after {figures['threads_warm']}")
    return found


def table(figures: dict[str, Any]) -> Table:
    made = Table("what", "value", title="an engine under steady use")
    for name, value in figures.items():
        made.add_row(
            name.replace("_", " "), f"{value:.1f}" if isinstance(value, float) else str(value)
        )
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    samples, load = asyncio.run(soak(options.minutes, Console(stderr=True)))
    figures = figures_of(samples)
    faults = faults_in(figures, load)
    if options.json:
        all_samples = [asdict(it) for it in samples]
        outcomes = {"outcomes": load.outcomes, "faults": faults}
        print(json.dumps({**figures, **outcomes, "samples_taken": all_samples}, indent=1))
    else:
        Console().print(table(figures))
    for fault in faults:
        print(fault, file=sys.stderr)
    raise SystemExit(bool(faults))


if __name__ == "__main__":
    main()
