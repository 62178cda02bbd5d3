"""How many people one engine serves, and how long each of them waits.

Starts `midfill serve` with the embedded model, once with fills that share steps and once with one
fill after another, and lets more and more people type in documents of their own at once. The two
take turns at each number of people, so that noise hits both alike::

    python benchmarks/service_load.py                          # a table
    python benchmarks/service_load.py --json > figures.json
    python benchmarks/service_load.py --pause 3                # people who think between requests

Without a pause everybody asks again as soon as they are answered: the most that an engine can do.
Only loopback is used. Nobody's first request counts, which reads the document.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import subprocess
import sys
import tempfile
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field
from itertools import islice
from pathlib import Path
from statistics import median, quantiles
from time import monotonic
from typing import TYPE_CHECKING, Any

import httpx
import psutil
import torch
from rich.console import Console
from rich.table import Table

from midfill.inference.measuring.machine import this_machine
from midfill.inference.measuring.replay.sources import standard_library
from midfill.inference.measuring.replay.typed_line import request_at
from midfill.inference.server_sent_events import EventReader
from midfill.inference.transport import UnixAddress, async_client
from midfill.inference.wire import Final

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Sequence

    from midfill.inference.wire import InfillRequest

PEOPLE = (1, 2, 4, 8, 16, 32)
ABOVE, TYPED, BELOW = 30, 60, 20
"""Lines of each person's document."""

EVERY = 3
"""Characters between two requests."""

START_WITHIN = 120.0


@dataclass(slots=True)
class Outcome:
    """What some people got of one engine in one round."""

    seconds: list[float] = field(default_factory=list)
    hit_tokens: int = 0
    new_tokens: int = 0
    refused: int = 0
    failed: int = 0
    lasted: float = 0.0

    def figures(self) -> dict[str, Any]:
        every = sorted(self.seconds)
        cuts = quantiles(every, n=100, method="inclusive") if len(every) > 1 else every * 99
        read = self.hit_tokens + self.new_tokens
        return {
            "requests": len(every),
            "requests_a_second": len(every) / self.lasted,
            "p50_ms": 1e3 * median(every),
            "p95_ms": 1e3 * cuts[94],
            "p99_ms": 1e3 * cuts[98],
            "hit_share": self.hit_tokens / read if read else 0.0,
            "refused": self.refused,
            "failed": self.failed,
        }


@asynccontextmanager
async def engine(*options: str) -> AsyncIterator[httpx.AsyncClient]:
    """A client of an engine of its own, whose model is loaded."""
    with tempfile.TemporaryDirectory() as folder:
        address = UnixAddress(Path(folder) / "e.sock")
        command = [sys.executable, "-m", "midfill.lsp", "serve", "--socket", str(address.path)]
        process = subprocess.Popen(
            [*command, *options],
            stderr=subprocess.DEVNULL,
            env={**os.environ, "MIDFILL_RUNTIME_DIR": folder},
        )
        client = async_client(address, httpx.Timeout(120.0))
        try:
            await ready(client)
            yield client
        finally:
            await client.aclose()
            process.terminate()
            process.wait(30)


async def ready(client: httpx.AsyncClient) -> None:
    end = monotonic() + START_WITHIN
    while monotonic() < end:
        try:
            if (await client.get("/health")).json()["state"] == "ready":
                return
        except httpx.TransportError:
            pass
        await asyncio.sleep(0.1)
    raise SystemExit("the engine did not start")


async def ask(client: httpx.AsyncClient, request: InfillRequest, outcome: Outcome) -> None:
    """Ask once and note what came of it."""
    began, events = monotonic(), EventReader()
    async with client.stream("POST", "/v1/infill", content=request.model_dump_json()) as reply:
        if reply.status_code == httpx.codes.TOO_MANY_REQUESTS:
            outcome.refused += 1
            await asyncio.sleep(float(reply.headers.get("Retry-After", 1)))
            return
        async for piece in reply.aiter_bytes():
            for event in events.feed(piece):
                if event.name == "final":
                    final = Final.model_validate_json(event.data)
                    outcome.seconds.append(monotonic() - began)
                    outcome.hit_tokens += final.cache.hit_tokens
                    outcome.new_tokens += final.cache.new_tokens
                elif event.name == "error":
                    outcome.failed += 1


@dataclass(frozen=True, slots=True)
class Typing:
    """A document, and what is typed into it from one place on; below it nothing changes.

    Attributes:
        above, typed, below: they follow each other in the finished document.
    """

    above: str
    typed: str
    below: str

    def requests(self) -> Iterator[InfillRequest]:
        """What an editor asks at every few characters."""
        for end in range(0, len(self.typed), EVERY):
            text = self.above + self.typed[:end]
            yield request_at(text + self.below, len(text), language="python")


async def person(
    client: httpx.AsyncClient, typing: Typing, end: float, pause: float
) -> tuple[Outcome, float]:
    """Types until the time is up, or all is typed; what came of it, and when that was."""
    outcome, chance = Outcome(), random.Random(typing.above)
    for request in islice(typing.requests(), 1, None):
        if monotonic() >= end:
            break
        if pause:
            await asyncio.sleep(chance.expovariate(1 / pause))
        await ask(client, request, outcome)
    return outcome, monotonic()


def documents(people: int, seed: int) -> list[Typing]:
    """One for each of them, unlike all others."""
    lines = [line for file in standard_library() for line in file.text.splitlines(keepends=True)]
    chance, found = random.Random(seed), []
    for number in range(people):
        first = chance.randrange(len(lines) - ABOVE - TYPED - BELOW)
        typed, below = first + ABOVE, first + ABOVE + TYPED
        found.append(
            Typing(
                f"# round {seed}, person {number}\n{''.join(lines[first:typed])}",
                "".join(lines[typed:below]),
                "".join(lines[below : below + BELOW]),
            )
        )
    return found


async def round_of(
    client: httpx.AsyncClient, people: int, seconds: float, pause: float, number: int
) -> dict[str, Any]:
    """So many people at once for so long; their first requests come before that."""
    typed = documents(people, number)
    for typing in typed:
        await ask(client, next(typing.requests()), Outcome())
    together, began = Outcome(), monotonic()
    end = began + seconds
    found = await asyncio.gather(*(person(client, typing, end, pause) for typing in typed))
    for one, _ in found:
        together.seconds += one.seconds
        together.hit_tokens += one.hit_tokens
        together.new_tokens += one.new_tokens
        together.refused += one.refused
        together.failed += one.failed
    # While some are not answered yet, the engine has less to do than it was to have.
    together.lasted = sum(done - began for _, done in found) / people
    return together.figures()


async def measure(
    people: Sequence[int], seconds: float, pause: float, console: Console
) -> list[dict[str, Any]]:
    found = []
    memory = ("--context-mib", "1024")
    async with (
        engine(*memory) as shared,
        engine(*memory, "--fills-at-once", "1") as apart,
    ):
        for number, count in enumerate(people):
            for name, client in (("shared steps", shared), ("one after another", apart)):
                console.print(f"{count} people, {name}")
                figures = await round_of(client, count, seconds, pause, number)
                found.append({"people": count, "engine": name, **figures})
    return found


def table(found: Sequence[dict[str, Any]]) -> Table:
    made = Table(title="ms from request to final fill")
    for name in ("people", "engine", "requests/s", "p50", "p95", "p99", "cached", "refused"):
        made.add_column(name, justify="left" if name == "engine" else "right")
    for it in found:
        made.add_row(
            str(it["people"]),
            it["engine"],
            f"{it['requests_a_second']:.2f}",
            *(f"{it[name]:.0f}" for name in ("p50_ms", "p95_ms", "p99_ms")),
            f"{100 * it['hit_share']:.0f} %",
            str(it["refused"]),
        )
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, nargs="+", default=PEOPLE)
    parser.add_argument("--seconds", type=float, default=30.0, help="of each round")
    parser.add_argument("--pause", type=float, default=0.0, help="seconds between requests, mean")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    console = Console(stderr=True)
    busy = psutil.cpu_percent(2.0)
    found = asyncio.run(measure(options.people, options.seconds, options.pause, console))
    if options.json:
        figures = {
            "machine": asdict(this_machine(torch.device("cpu"))),
            "others_busy_percent": busy,
            "rounds": found,
        }
        print(json.dumps({**figures, "seconds": options.seconds, "pause": options.pause}, indent=1))
    else:
        Console().print(table(found))


if __name__ == "__main__":
    main()
