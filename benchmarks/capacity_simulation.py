"""What one engine and several carry, by simulation; see docs/capacity.md.

python benchmarks/capacity_simulation.py --out benchmarks/capacity.json --plot docs/capacity.png
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from capacity.developer import Habits
from capacity.scenarios import h100, two_cores
from capacity.simulating import simulate

if TYPE_CHECKING:
    from collections.abc import Sequence

    from capacity.engine import EngineKind
    from capacity.simulating import Outcome

SHARES = {"p50": 0.5, "p95": 0.95}
TOP_MS = 1000
"""Of the plot; what is above is no suggestion any more."""

DEVELOPERS = (10, 100, 1000)
ENGINES = (1, 2, 4, 8, 12, 16)


def percentile(values: Sequence[float], share: float) -> float:
    """The value at so large a share of the sorted ones; 0.0 of none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


def figures(outcome: Outcome, seconds: float) -> dict[str, Any]:
    """A row of the report: milliseconds, shares of what was asked, and use."""
    asked = max(1, outcome.asked)
    return {
        "asked_per_second": round(outcome.asked / seconds, 2),
        "answered": round(len(outcome.latencies) / asked, 3),
        "superseded": round(outcome.superseded / asked, 3),
        "refused": round(outcome.refused / asked, 3),
        "cold": round(outcome.cold / asked, 3),
        "wait_ms": _quantiles(outcome.waits),
        "latency_ms": _quantiles(outcome.latencies),
        "utilisation": round(sum(outcome.busy) / seconds / len(outcome.busy), 3),
    }


def _quantiles(seconds: Sequence[float]) -> dict[str, float]:
    return {name: round(1e3 * percentile(seconds, share), 1) for name, share in SHARES.items()}


def runs(
    kind: EngineKind,
    seconds: float,
    seed: int,
    developers: Sequence[int] = DEVELOPERS,
    engines: Sequence[int] = ENGINES,
    *,
    habits: Habits | None = None,
    affinity: bool = True,
) -> list[dict[str, Any]]:
    """Every number of developers on every number of engines."""
    rows = []
    for people in developers:
        for count in engines:
            outcome = simulate(
                kind, count, people, seconds=seconds, habits=habits, seed=seed, affinity=affinity
            )
            rows.append(
                {
                    "kind": kind.name,
                    "affinity": affinity,
                    "typing_share": (habits or Habits()).typing_share,
                    "developers": people,
                    "engines": count,
                    **figures(outcome, seconds),
                }
            )
            print(json.dumps(rows[-1]), flush=True)
    return rows


def plot(rows: list[dict[str, Any]], path: Path) -> None:
    """p95 of the latency over the number of developers on one H100, and over H100s."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    picture, (left, right) = pyplot.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
    for name in ("p50", "p95"):
        one = sorted(
            (row for row in rows if row["engines"] == 1), key=lambda row: int(row["developers"])
        )
        left.plot(
            [row["developers"] for row in one], [row["latency_ms"][name] for row in one], "o-"
        )
        many = [row for row in rows if row["developers"] == max(DEVELOPERS)]
        right.plot(
            [row["engines"] for row in many],
            [row["latency_ms"][name] for row in many],
            "o-",
            label=name,
        )
    left.set(title="one H100", xlabel="developers", ylabel="ms to the answer", xscale="log")
    right.set(title="1,000 developers", xlabel="H100s", ylabel="ms to the answer")
    right.legend()
    for axes in (left, right):
        axes.set_ylim(0, TOP_MS)
        axes.grid(alpha=0.3)
    picture.savefig(path, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=120.0, help="simulated, of each")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--plot", type=Path)
    chosen = parser.parse_args()
    given = chosen.seconds, chosen.seed
    shared = runs(h100(), *given) + runs(h100(), *given, (30, 60, 200), (1,))
    quiet = runs(h100(), *given, (1000,), (1, 2, 4, 8), habits=Habits(typing_share=0.05))
    alone = runs(h100(1), *given)
    scattered = runs(h100(), *given, (1000,), (12, 16), affinity=False)
    few_people = 10 * chosen.seconds  # or one pause for thought decides
    cpu = runs(two_cores(), few_people, chosen.seed, (1, 2, 5, 10), (1, 2))
    habits = Habits()
    if chosen.out:
        report = {
            "seed": chosen.seed,
            "seconds": chosen.seconds,
            "habits": {name: getattr(habits, name) for name in habits.__dataclass_fields__},
            "runs": shared + quiet + alone + scattered + cpu,
        }
        chosen.out.write_text(json.dumps(report, indent=1) + "\n")
    if chosen.plot:
        plot(shared, chosen.plot)


if __name__ == "__main__":
    main()
