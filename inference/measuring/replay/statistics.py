"""Figures with their spread: percentiles, and bootstrap intervals of ratios."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

RESAMPLES = 2000
INTERVAL = (2.5, 97.5)
"""Percentiles of the resampled ratios: a 95 % interval."""


@dataclass(frozen=True, slots=True)
class Distribution:
    """Many measurements of one thing.

    Attributes:
        n: how many.
        mean, median: in the middle.
        p5, p95: percentiles, interpolated between neighbours.
    """

    n: int
    mean: float
    median: float
    p5: float
    p95: float


def distribution(values: Sequence[float]) -> Distribution | None:
    """None if nothing was measured."""
    if not values:
        return None
    p5, median, p95 = np.percentile(np.asarray(values, dtype=np.float64), (5, 50, 95)).tolist()
    return Distribution(len(values), float(np.mean(values)), median, p5, p95)


@dataclass(frozen=True, slots=True)
class Speedup:
    """How many times longer another one took.

    Attributes:
        n: pairs of measurements.
        lines: that they were taken at.
        ours_ms, theirs_ms: means of a suggestion.
        speedup: theirs divided by ours; above 1, ours was quicker.
        low, high: its 95 % interval; None where there is only one line.
    """

    n: int
    lines: int
    ours_ms: float
    theirs_ms: float
    speedup: float
    low: float | None
    high: float | None


def speedup(pairs: Mapping[int, Sequence[tuple[float, float]]], seed: int = 0) -> Speedup | None:
    """Compare paired times.

    Requests of one line resemble each other, so whole lines are drawn for the interval.

    Args:
        pairs: for each line, (ours, theirs) in milliseconds.
        seed: of the draws.

    Returns:
        None if there are no pairs.

    Source: the cluster bootstrap; Davison and Hinkley, Bootstrap Methods and their Application,
    section 3.8.
    """
    sums = np.asarray(
        [
            (len(line), sum(a for a, _ in line), sum(b for _, b in line))
            for line in pairs.values()
            if line
        ],
        dtype=np.float64,
    )  # (lines, 3)
    if not len(sums):
        return None
    count, ours, theirs = sums.sum(0).tolist()
    low = high = None
    if len(sums) > 1:
        drawn = np.random.default_rng(seed).integers(len(sums), size=(RESAMPLES, len(sums)))
        totals = sums[drawn].sum(1)  # (resamples, 3)
        low, high = np.percentile(totals[:, 2] / totals[:, 1], INTERVAL).tolist()
    return Speedup(int(count), len(sums), ours / count, theirs / count, theirs / ours, low, high)
