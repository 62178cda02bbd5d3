"""From rows to figures."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from midfill.inference.evaluation.intervals import row_mean, task_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from midfill.inference.evaluation.rows import Row

    Figures = Mapping[str, Any]

OURS = "midfill"
SCORES = ("passed", "exact", "similarity")
"""What rows are judged by; programs are run in functional suites only."""

TITLES = {"passed": "pass@1", "exact": "exact match", "similarity": "edit similarity"}


def report(run: Mapping[str, Any], rows: Sequence[Row]) -> dict[str, Any]:
    """All figures of a run, as JSON values.

    Every score is a mean over rows and one over tasks, each with a 95 % interval. Differences are
    paired by row: ours minus the other arm's.
    """
    arms = list(rows[0].arms)
    seed = int(run["seed"])
    return {
        "run": dict(run),
        "rows": len(rows),
        "tasks": len({row.task for row in rows}),
        "arms": {arm: _arm(rows, arm, seed) for arm in arms},
        "differences": {
            f"{OURS} - {arm}": _scores(
                rows,
                lambda row, score, arm=arm: (  # type: ignore[misc]
                    float(row.arms[OURS][score]) - float(row.arms[arm][score])
                ),
                seed,
            )
            for arm in arms
            if arm != OURS
        },
        "by_kind": {
            kind: {arm: _brief([row.arms[arm] for row in rows if row.kind == kind]) for arm in arms}
            for kind in sorted({row.kind for row in rows})
        },
    }


def _arm(rows: Sequence[Row], arm: str, seed: int) -> dict[str, Any]:
    fills = [row.arms[arm] for row in rows]
    figures = _scores(rows, lambda row, score: float(row.arms[arm][score]), seed)
    return figures | _effort(fills) | {"stops": _counts(fills, "stop")} | _outcomes(fills)


def _scores(rows: Sequence[Row], value: Callable[[Row, str], float], seed: int) -> dict[str, Any]:
    tasks = [row.task for row in rows]
    scores = {}
    for score in SCORES:
        if score in rows[0].arms[OURS]:
            values = [value(row, score) for row in rows]
            scores[score] = {
                "rows": asdict(row_mean(values, tasks, seed)),
                "tasks": asdict(task_mean(values, tasks, seed)),
            }
    return scores


def _effort(fills: Sequence[Figures]) -> dict[str, Any]:
    tokens, steps = (sum(fill[name] for fill in fills) for name in ("tokens", "steps"))
    p50, p95 = np.percentile([fill["ms"] for fill in fills], (50, 95))
    few, many = np.percentile([fill["steps"] for fill in fills], (50, 95))
    slow, fast = np.percentile([fill["tokens"] / max(1, fill["steps"]) for fill in fills], (5, 95))
    return {
        "tokens": tokens,
        "steps": steps,
        "steps_per_fill": {"mean": steps / len(fills), "p50": float(few), "p95": float(many)},
        "tokens_per_step": tokens / steps,
        "tokens_per_step_of_a_fill": {"p5": float(slow), "p95": float(fast)},
        "ms": {"p50": float(p50), "p95": float(p95)},
        "acceptance_by_distance": acceptance_by_distance(fills),
    }


def acceptance_by_distance(fills: Sequence[Figures]) -> list[float]:
    """For the first, second … guess: the part of the steps in which it and all before it held."""
    accepted = [number for fill in fills for number in fill["accepted"]]
    if not accepted:
        return []
    return [
        sum(number >= distance for number in accepted) / len(accepted)
        for distance in range(1, max(accepted) + 1)
    ]


def _brief(fills: Sequence[Figures]) -> dict[str, Any]:
    scores = {
        score: sum(float(fill[score]) for fill in fills) / len(fills)
        for score in SCORES
        if score in fills[0]
    }
    effort = _effort(fills)
    return {"rows": len(fills)} | scores | {"tokens_per_step": effort["tokens_per_step"]}


def _outcomes(fills: Sequence[Figures]) -> dict[str, Any]:
    return {"outcomes": _counts(fills, "outcome")} if "outcome" in fills[0] else {}


def _counts(fills: Sequence[Figures], name: str) -> dict[str, int]:
    values = [fill[name] for fill in fills]
    return {value: values.count(value) for value in sorted(set(values))}
