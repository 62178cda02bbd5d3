"""Means with 95 % intervals where rows of one task are not independent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

RESAMPLES = 4000


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean and what it may be: 95 of 100 such intervals hold the true one."""

    value: float
    low: float
    high: float


def row_mean(values: Sequence[float], tasks: Sequence[str], seed: int) -> Estimate:
    """The mean over rows. Whole tasks are drawn again and again (cluster bootstrap).

    For a paired difference of two arms, give the differences of each row.

    Args:
        values: one for each row; at least one.
        tasks: the task of each row.
        seed: of what is drawn.
    """
    sums, counts = _by_task(values, tasks)
    drawn = _draws(len(sums), seed)
    return _estimate(sums.sum() / counts.sum(), sums[drawn].sum(1) / counts[drawn].sum(1))


def task_mean(values: Sequence[float], tasks: Sequence[str], seed: int) -> Estimate:
    """The mean over tasks of the mean over each task's rows; see `row_mean`."""
    sums, counts = _by_task(values, tasks)
    means = sums / counts
    return _estimate(means.mean(), means[_draws(len(means), seed)].mean(1))


def _by_task(values: Sequence[float], tasks: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Sum and number of each task's rows; (tasks,) both."""
    if not values:
        raise ValueError("there is no mean of nothing")
    _, places = np.unique(np.array(tasks), return_inverse=True)
    return np.bincount(places, weights=np.array(values, dtype=float)), np.bincount(places)


def _draws(tasks: int, seed: int) -> np.ndarray:
    """(resamples, tasks) indices."""
    return np.random.default_rng(seed).integers(tasks, size=(RESAMPLES, tasks))


def _estimate(value: float, resampled: np.ndarray) -> Estimate:
    low, high = np.percentile(resampled, (2.5, 97.5))
    return Estimate(float(value), float(low), float(high))
