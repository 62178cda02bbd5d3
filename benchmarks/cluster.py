"""Two replicas of the embedded model on Ray Serve, asked by 1 to 32 people at once.

    python benchmarks/cluster.py --out benchmarks/cluster.json

Each types lines of a file of Python's own library, and asks again as soon as there is an answer.
Nobody's first request counts, which reads the document. Then a replica is killed under load. Needs
the extra `cluster`. Ctrl-C prints what there is.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import random
import signal
import sysconfig
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
from capacity_simulation import percentile
from local_ray import engines, local_ray

from midfill.inference.server_sent_events import EventReader
from midfill.inference.wire import Final

if TYPE_CHECKING:
    from collections.abc import Iterator

USERS = (1, 2, 4, 8, 16, 32)
REPLICAS = 2
CONTEXT_LINES = 40
LINES_EACH = 12
TOKEN = "benchmark"
UNHURRIED = {"tokens": 24, "deadline_ms": 60_000}


@dataclass
class Tally:
    """What one load met.

    Attributes:
        seconds: that it took.
        latencies: of those answered; seconds.
        refused: how often the answer was 429.
        lost: requests without an answer, by what came instead.
        failed: those answered with an error, by its code.
        hit_tokens, new_tokens: of contexts, found encoded and not.
        cold: answers with more of them new than not.
    """

    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)
    refused: int = 0
    lost: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)
    hit_tokens: int = 0
    new_tokens: int = 0
    cold: int = 0

    def figures(self) -> dict[str, Any]:
        context = max(1, self.hit_tokens + self.new_tokens)
        return {
            "answers": len(self.latencies),
            "per_second": round(len(self.latencies) / self.seconds, 2),
            "ms": {
                name: round(1e3 * percentile(self.latencies, share), 1)
                for name, share in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99))
            },
            "hit_rate": round(self.hit_tokens / context, 4),
            "new_tokens_each": round(self.new_tokens / max(1, len(self.latencies)), 2),
            "cold": self.cold,
            "refused": self.refused,
            "lost": dict(self.lost),
            "failed": dict(self.failed),
        }


def keystrokes(number: int, seed: int) -> Iterator[dict[str, object]]:
    """What a person asks for who types lines of one file after the other, for ever."""
    choice = random.Random(seed * 1000 + number)
    library = Path(sysconfig.get_path("stdlib"))
    files = [path for path in sorted(library.glob("*.py")) if path.stat().st_size > 10_000]
    while True:
        path = choice.choice(files)
        lines = path.read_text(errors="replace").splitlines(keepends=True)
        at = choice.randrange(CONTEXT_LINES, len(lines) - LINES_EACH)
        for line in range(at, at + LINES_EACH):
            before = "".join(lines[line - CONTEXT_LINES : line])
            after = "".join(lines[line + 1 : line + 20])
            for typed in range(1, len(lines[line])):
                yield {
                    "prefix": before + lines[line][:typed],
                    "suffix": "\n" + after,
                    "document": f"{number}/{path.name}",
                    "limits": {"tokens": 24, "deadline_ms": 5000},
                }


async def person(
    http: httpx.AsyncClient, bodies: Iterator[dict[str, object]], until: float, tally: Tally
) -> None:
    """Type until the time is up."""
    for body in bodies:
        if time.monotonic() >= until:
            return
        await ask(http, body, tally)


async def ask_until_answered(http: httpx.AsyncClient, body: dict[str, object]) -> None:
    answered = Tally()
    while not answered.latencies:
        await ask(http, body, answered)


async def ask(http: httpx.AsyncClient, body: dict[str, object], tally: Tally) -> None:
    """Ask once, and note what came of it."""
    began = time.monotonic()
    try:
        response = await http.post("/v1/infill", json=body)
    except httpx.HTTPError as error:
        tally.lost[type(error).__name__] += 1
        return
    if response.status_code == httpx.codes.TOO_MANY_REQUESTS:
        tally.refused += 1
        await asyncio.sleep(float(response.headers["retry-after"]))
        return
    if not response.is_success:
        tally.lost[str(response.status_code)] += 1
        return
    last = (EventReader().feed(response.content) or [None])[-1]
    if last is None:
        tally.lost["no event"] += 1
    elif last.name == "draft":
        tally.lost["no final"] += 1
    elif last.name != "final":
        tally.failed[json.loads(last.data)["code"]] += 1
    else:
        final = Final.model_validate_json(last.data)
        tally.latencies.append(time.monotonic() - began)
        tally.hit_tokens += final.cache.hit_tokens
        tally.new_tokens += final.cache.new_tokens
        tally.cold += final.cache.new_tokens > final.cache.hit_tokens


async def load(
    port: int, users: int, seconds: float, seed: int, begun: asyncio.Event | None = None
) -> Tally:
    """So many people, for so long; their first requests come before that.

    Args:
        begun: is set when those are answered.
    """
    tally = Tally()
    people = [keystrokes(number, seed) for number in range(users)]
    async with httpx.AsyncClient(
        base_url=f"http://127.0.0.1:{port}",
        headers={"Authorization": f"Bearer {TOKEN}"},
        timeout=60.0,
        limits=httpx.Limits(max_connections=2 * users),
    ) as http:
        for at in range(0, users, REPLICAS):
            first = ({**next(it), "limits": UNHURRIED} for it in people[at : at + REPLICAS])
            await asyncio.gather(*(ask_until_answered(http, body) for body in first))
        if begun is not None:
            begun.set()
        began = time.monotonic()
        await asyncio.gather(*(person(http, it, began + seconds, tally) for it in people))
    tally.seconds = time.monotonic() - began
    return tally


async def recovery(port: int, users: int, seconds: float, seed: int) -> dict[str, Any]:
    """Kill a replica under load.

    Returns:
        What the load met, and how many seconds it took until there were as many replicas as before
        that are ready: a door sends nothing to others.
    """
    begun = asyncio.Event()
    loading = asyncio.create_task(load(port, users, seconds, seed, begun))
    await begun.wait()
    await asyncio.sleep(seconds / 4)
    before = set(engines())
    os.kill(min(before), signal.SIGKILL)
    killed = time.monotonic()
    recovered = None
    while not loading.done():
        ready = await asyncio.to_thread(_running) == REPLICAS
        if recovered is None and ready and len({*engines()} - {min(before)}) >= REPLICAS:
            recovered = round(time.monotonic() - killed, 1)
        await asyncio.sleep(0.2)
    return {"users": users, "recovered_s": recovered, **(await loading).figures()}


def _running() -> int:
    """Replicas that Serve has found ready."""
    from ray import serve

    deployments = serve.status().applications["midfill"].deployments
    return deployments["engine"].replica_states.get("RUNNING", 0)


def deploy(folder: Path, *, affinity: bool) -> None:
    from ray import serve

    from midfill.inference.cluster.application import AFFINITY, build
    from midfill.inference.cluster.settings import ClusterSettings

    tokens = folder / "tokens"
    tokens.write_text(f"somebody {TOKEN}\n")
    settings = ClusterSettings(
        token_file=tokens,
        min_replicas=REPLICAS,
        max_replicas=REPLICAS,
        num_cpus=1,
        per_minute=0,
        max_ongoing_requests=16,
        max_queued_requests=32,
    )
    router = AFFINITY if affinity else None
    serve.run(build(settings, router=router), name="midfill", route_prefix="/")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60.0, help="of each load")
    parser.add_argument("--users", type=int, nargs="+", default=USERS)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path)
    chosen = parser.parse_args()
    report: dict[str, Any] = {
        "machine": {"cores": os.cpu_count(), "system": platform.platform()},
        "replicas": REPLICAS,
        "seconds": chosen.seconds,
        "seed": chosen.seed,
        "loads": [],
    }
    try:
        with local_ray() as port, tempfile.TemporaryDirectory() as folder:
            measure(report, chosen, port, Path(folder))
    except KeyboardInterrupt:
        report["interrupted"] = True
    print(json.dumps(report, indent=1))
    if chosen.out:
        chosen.out.write_text(json.dumps(report, indent=1) + "\n")


def measure(report: dict[str, Any], chosen: argparse.Namespace, port: int, folder: Path) -> None:
    """Add to the report as figures come about."""
    for affinity in (True, False):
        deploy(folder, affinity=affinity)
        asyncio.run(load(port, 2, 5.0, seed=-1))
        for users in chosen.users:
            tally = asyncio.run(load(port, users, chosen.seconds, chosen.seed))
            report["loads"].append({"affinity": affinity, "users": users, **tally.figures()})
            print(json.dumps(report["loads"][-1]), flush=True)
        if affinity:
            users = min(8, max(chosen.users))
            report["kill"] = asyncio.run(
                recovery(port, users, max(60.0, chosen.seconds), chosen.seed)
            )
            print(json.dumps(report["kill"]), flush=True)


if __name__ == "__main__":
    main()
