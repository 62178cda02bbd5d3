"""How many people one engine serves, and how long each of them waits.

Starts `midfill serve` with the embedded model, once with fills that share steps and once with one
fill after another, and lets more and more people type in documents of their own at once. The two
take turns at each number of people, so that noise hits both alike::

    python benchmarks/service_load.py                          # a table
    python benchmarks/service_load.py --json > figures.json
    python benchmarks/service_load.py --pause 3                # people who think between requests

Without a pause everybody asks again as soon as they are answered: the most that an engine can do.
With one they think in between, for as long on average, a while each time that is drawn anew; then
a round has to be longer (``--seconds``), so that enough is asked.

Beside the figures over all requests stand those of each kind: on a new line, typed on from there,
and typed as suggested; and those of a denoising step, waiting included. `carried` in the JSON says
up to how many people the 95th percentile of a kind, and of a step, stays within twice its median.

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
from dataclasses import asdict, dataclass
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

import httpx
import psutil
import torch
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table
from service_load_figures import (
    ENOUGH,
    MOST,
    Kind,
    Outcome,
    carried,
    figures_by_kind,
    kind_of,
)

from midfill.inference.measuring.machine import this_machine
from midfill.inference.measuring.replay.sources import standard_library
from midfill.inference.measuring.replay.typed_line import request_at
from midfill.inference.server_sent_events import EventReader
from midfill.inference.transport import UnixAddress, async_client
from midfill.inference.wire import Final

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping, Sequence

    from midfill.inference.wire import InfillRequest

PEOPLE = (1, 2, 4, 8, 16, 32)
ABOVE, TYPED, BELOW = 30, 60, 20
"""Lines of each person's document."""

SEED = 0
"""Which places of the library are typed."""

EVERY = 3
"""Characters between two requests."""

ENGINES = ("shared steps", "one after another")
START_WITHIN = 120.0


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


async def ask(
    client: httpx.AsyncClient, request: InfillRequest, kind: Kind, outcome: Outcome
) -> str | None:
    """Ask once and note what came of it: the text, or None where there is none."""
    began, events = monotonic(), EventReader()
    async with client.stream("POST", "/v1/infill", content=request.model_dump_json()) as reply:
        if reply.status_code == httpx.codes.TOO_MANY_REQUESTS:
            outcome.refused += 1
            await asyncio.sleep(float(reply.headers.get("Retry-After", 1)))
            return None
        async for piece in reply.aiter_bytes():
            for event in events.feed(piece):
                if event.name == "final":
                    final = Final.model_validate_json(event.data)
                    seconds = monotonic() - began
                    outcome.seconds[kind].append(seconds)
                    outcome.a_step.append(seconds / final.steps)
                    outcome.hit_tokens += final.cache.hit_tokens
                    outcome.new_tokens += final.cache.new_tokens
                    return final.text
    outcome.failed += 1
    return None


@dataclass(frozen=True, slots=True)
class Typing:
    """A document, and what is typed into it from one place on; below it nothing changes.

    Attributes:
        above, typed, below: they follow each other in the finished document; ``typed`` ends where a
            line does, and ``below`` begins with another.
    """

    above: str
    typed: str
    below: str

    @property
    def ends(self) -> range:
        """How much is typed whenever an editor asks: at every few characters."""
        return range(0, len(self.typed), EVERY)

    def request(self, end: int) -> InfillRequest:
        """What an editor asks then."""
        text = self.above + self.typed[:end]
        # Nothing stands behind the cursor in its line.
        return request_at(f"{text}\n{self.below}", len(text), language="python")

    def requests(self) -> Iterator[InfillRequest]:
        """What it asks, one after the other."""
        return map(self.request, self.ends)


async def person(
    client: httpx.AsyncClient, typing: Typing, suggested: str | None, end: float, pause: float
) -> tuple[Outcome, float]:
    """Types until the time is up, or all is typed; what came of it, and when that was.

    Args:
        suggested: by the answer to the first request.
        end: when the time is up.
        pause: seconds before each request, on average.
    """
    outcome, chance = Outcome(), random.Random(typing.above)
    answered = 0
    for at in typing.ends[1:]:
        if pause:
            thinking = chance.expovariate(1 / pause)
            await asyncio.sleep(min(thinking, max(0.0, end - monotonic())))
        if monotonic() >= end:
            break
        kind = kind_of(typing.typed[answered:at], suggested)
        text = await ask(client, typing.request(at), kind, outcome)
        if text is not None:
            suggested, answered = text, at
    return outcome, monotonic()


def documents(people: int, number: int) -> list[Typing]:
    """One for each of them, which no other round has; what they type is the same in all."""
    lines = [line for file in standard_library() for line in file.text.splitlines(keepends=True)]
    chance, found = random.Random(SEED), []
    for one in range(people):
        first = chance.randrange(len(lines) - ABOVE - TYPED - BELOW)
        typed, below = first + ABOVE, first + ABOVE + TYPED
        found.append(
            Typing(
                f"# round {number}, person {one}\n{''.join(lines[first:typed])}",
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
    first = [await ask(client, it.request(0), Kind.NEW_LINE, Outcome()) for it in typed]
    together, began = Outcome(), monotonic()
    end = began + seconds
    found = await asyncio.gather(
        *(
            person(client, typing, suggested, end, pause)
            for typing, suggested in zip(typed, first, strict=True)
        )
    )
    for one, _ in found:
        together.add(one)
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
            for name, client in zip(ENGINES, (shared, apart), strict=True):
                console.print(f"{count} people, {name}")
                figures = await round_of(client, count, seconds, pause, number)
                found.append({"people": count, "engine": name, **figures})
    return found


def table(found: Sequence[Mapping[str, Any]], engine: str) -> Table:
    """Of one engine: a row for each round over all, and below it one for each kind of request."""
    made = Table(title=f"{engine}: ms from request to final fill", box=SIMPLE, pad_edge=False)
    for name in ("people", "a second", "cached", "refused", "kind", "asked"):
        made.add_column(name, justify="left" if name == "kind" else "right")
    for name in ("p50", "p95", "p99", "p95/p50"):
        made.add_column(name, justify="right")
    for it in found:
        if it["engine"] != engine:
            continue
        made.add_row(
            str(it["people"]),
            f"{it['requests_a_second']:.2f}",
            f"{100 * it['hit_share']:.0f} %",
            str(it["refused"]),
            "all",
            *_cells(it),
        )
        for kind, figures in figures_by_kind(it).items():
            made.add_row("", "", "", "", kind, *_cells(figures))
        made.add_section()
    return made


def _cells(figures: Mapping[str, Any]) -> list[str]:
    if not figures["requests"]:
        return ["0", "-", "-", "-", "-"]
    times = (f"{figures[name]:.0f}" for name in ("p50_ms", "p95_ms", "p99_ms"))
    return [str(figures["requests"]), *times, f"{figures['p95_to_p50']:.1f}"]


def verdict(found: Sequence[Mapping[str, Any]]) -> str:
    """Up to how many people each kind's figures are as they should be, in words."""
    lines = [
        f"People up to whom p95 stays within {MOST:g} times p50, of {ENOUGH} requests of a kind "
        "at least and with nobody refused:"
    ]
    for name, kinds in carried(found).items():
        told = ", ".join(f"{kind} {people or 'none'}" for kind, people in kinds.items())
        lines.append(f"  {name}: {told}")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, nargs="+", default=PEOPLE)
    parser.add_argument("--seconds", type=float, default=30.0, help="of each round")
    parser.add_argument(
        "--pause",
        type=float,
        default=0.0,
        help="seconds that people think before each request, on average",
    )
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
            "carried": carried(found),
        }
        print(json.dumps({**figures, "seconds": options.seconds, "pause": options.pause}, indent=1))
    else:
        for name in ENGINES:
            Console().print(table(found, name))
        print(verdict(found))


if __name__ == "__main__":
    main()
