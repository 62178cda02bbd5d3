"""How good stated chances are, with 95 % intervals where fills of one file are not independent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from midfill.inference.evaluation.intervals import Estimate, row_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

BINS = 10
"""Of equal numbers of fills, as far as they can be equal."""

SUREST = 1e-6
"""Chances are taken to be this far from 0 and 1 at least, so that no loss is infinite."""

RESAMPLES = 1000


@dataclass(frozen=True, slots=True)
class Scores:
    """Scores of stated chances.

    Attributes:
        brier: mean squared error; the lower, the better.
        log_loss: nats; the lower, the better.
        calibration_error: see `calibration_error`.
        ranking: the chance that of a right fill and a wrong one the right one is thought likelier;
            0.5 for chances that say nothing.
    """

    brier: Estimate
    log_loss: Estimate
    calibration_error: Estimate
    ranking: Estimate


def scores(chances: np.ndarray, right: np.ndarray, tasks: np.ndarray, seed: int) -> Scores:
    """Score chances.

    Args:
        chances: (fills,) in 0 … 1.
        right: (fills,) bool.
        tasks: (fills,) the file of each; whole files are drawn for the intervals.
        seed: of what is drawn.
    """
    names = [str(task) for task in tasks]
    return Scores(
        brier=row_mean(list(brier(chances, right)), names, seed),
        log_loss=row_mean(list(log_loss(chances, right)), names, seed),
        calibration_error=_resampled(calibration_error, chances, right, tasks, seed),
        ranking=_resampled(ranking, chances, right, tasks, seed),
    )


def brier(chances: np.ndarray, right: np.ndarray) -> np.ndarray:
    """(fills,) squared errors."""
    return np.asarray((chances - right) ** 2)


def log_loss(chances: np.ndarray, right: np.ndarray) -> np.ndarray:
    """(fills,) nats."""
    bounded = np.clip(chances, SUREST, 1 - SUREST)
    return np.asarray(-np.log(np.where(right, bounded, 1 - bounded)))


def calibration_error(chances: np.ndarray, right: np.ndarray) -> float:
    """The expected calibration error: how far off the chances of a bin are, averaged over fills.

    It is never below 0, and above it by chance alone even for true chances.

    Source: Naeini, Cooper and Hauskrecht, 2015; with bins of equal numbers.
    """
    return sum(
        len(fills) * abs(float(chances[fills].mean()) - float(right[fills].mean()))
        for fills in bins(chances)
    ) / len(chances)


def ranking(chances: np.ndarray, right: np.ndarray) -> float:
    """The area under the receiver operating characteristic; 0.5 where all are right or wrong."""
    of_right, of_wrong = chances[right], np.sort(chances[~right])
    if not len(of_right) or not len(of_wrong):
        return 0.5
    below = np.searchsorted(of_wrong, of_right, "left")
    not_above = np.searchsorted(of_wrong, of_right, "right")
    return float((below + not_above).mean() / 2 / len(of_wrong))


def bins(chances: np.ndarray) -> Iterator[np.ndarray]:
    """Indices of fills, from the least likely to the likeliest, in `BINS` equal parts."""
    order = np.argsort(chances, kind="stable")
    yield from (part for part in np.array_split(order, BINS) if len(part))


def _resampled(
    statistic: Callable[[np.ndarray, np.ndarray], float],
    chances: np.ndarray,
    right: np.ndarray,
    tasks: np.ndarray,
    seed: int,
) -> Estimate:
    """A statistic of all fills; whole files are drawn again and again (cluster bootstrap)."""
    _, file_of = np.unique(tasks, return_inverse=True)
    fills_of = [np.flatnonzero(file_of == file) for file in range(file_of.max() + 1)]
    draw = np.random.default_rng(seed)
    found = []
    for _ in range(RESAMPLES):
        drawn = draw.integers(len(fills_of), size=len(fills_of))
        fills = np.concatenate([fills_of[file] for file in drawn])
        found.append(statistic(chances[fills], right[fills]))
    low, high = np.percentile(found, (2.5, 97.5))
    return Estimate(statistic(chances, right), float(low), float(high))
