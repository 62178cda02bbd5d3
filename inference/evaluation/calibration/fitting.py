"""Fitting a calibration: a logistic regression with signs, which is convex and takes no time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from midfill.inference.confidence import FALLING, FEATURES, RISING, Calibration
from midfill.inference.evaluation.errors import CalibrationImpossible

if TYPE_CHECKING:
    from midfill.inference.evaluation.calibration.samples import Samples

FEWEST = 50
"""Fills that a calibration can be fitted on."""

FOLDS = 10

PENALTY = 1.0
"""On half the squared coefficients of features in standard deviations, against the sum of losses:
before anything is seen, each is taken to be 0, give or take 1."""

_STEPS = 20_000
_SETTLED = 1e-9


def fit(samples: Samples) -> Calibration:
    """The likeliest calibration with the signs that `confidence` asks for, held down a little.

    Raises:
        CalibrationImpossible: there are too few fills, or all are right, or none.
    """
    if len(samples) < FEWEST:
        raise CalibrationImpossible(
            f"{len(samples)} fills that show something are too few to fit on: "
            f"it takes {FEWEST}; name more records"
        )
    if samples.right.all() or not samples.right.any():
        which = "right" if samples.right.all() else "wrong"
        raise CalibrationImpossible(
            f"all {len(samples)} fills are {which}, so there is nothing to learn: name more records"
        )
    return _fit(samples)


def cross_fitted(samples: Samples, seed: int) -> np.ndarray:
    """(fills,) chances, each from a calibration that has seen no fill of the same file."""
    files, file_of = np.unique(samples.tasks, return_inverse=True)
    fold_of_file = np.random.default_rng(seed).permutation(len(files)) % FOLDS
    folds = fold_of_file[file_of]
    found = np.empty(len(samples))
    for fold in np.unique(folds):
        held_out = folds == fold
        found[held_out] = chances(_fit(samples.where(~held_out)), samples.features[held_out])
    return found


def chances(calibration: Calibration, features: np.ndarray) -> np.ndarray:
    """(fills,) chances of fills with ``features`` (fills, len(FEATURES))."""
    weights = np.array([calibration.coefficients[name] for name in FEATURES])
    return _sigmoid(features @ weights + calibration.intercept)


def _fit(samples: Samples) -> Calibration:
    mean, scale = samples.features.mean(0), samples.features.std(0)
    scale[scale < 1e-6] = 1.0
    x = np.column_stack([(samples.features - mean) / scale, np.ones(len(samples))])
    lowest = np.array([0.0 if name in RISING else -np.inf for name in FEATURES] + [-np.inf])
    highest = np.array([0.0 if name in FALLING else np.inf for name in FEATURES] + [np.inf])
    found = _minimise(x, samples.right.astype(float), lowest, highest)
    weights = found[:-1] / scale
    return Calibration(
        intercept=float(found[-1] - weights @ mean),
        coefficients={name: float(weight) for name, weight in zip(FEATURES, weights, strict=True)},
    )


def _minimise(x: np.ndarray, y: np.ndarray, lowest: np.ndarray, highest: np.ndarray) -> np.ndarray:
    """(inputs,) weights between the bounds of the least penalised loss; the last has no penalty.

    Source: Beck and Teboulle, A fast iterative shrinkage-thresholding algorithm, 2009, with the
    restarts of O'Donoghue and Candès, 2015.
    """
    penalty = np.full(x.shape[1], PENALTY)
    penalty[-1] = 0.0
    rate = 1 / (np.linalg.norm(x, 2) ** 2 / 4 + PENALTY)
    weights = ahead = np.zeros(x.shape[1])
    momentum = 1.0
    for _ in range(_STEPS):
        slope = x.T @ (_sigmoid(x @ ahead) - y) + penalty * ahead
        following = np.clip(ahead - rate * slope, lowest, highest)
        moved = following - weights
        if (ahead - following) @ moved > 0:
            momentum = 1.0
        next_momentum = (1 + np.sqrt(1 + 4 * momentum**2)) / 2
        ahead = following + (momentum - 1) / next_momentum * moved
        weights, momentum = following, next_momentum
        if np.abs(moved).max() < _SETTLED:
            break
    return weights


def _sigmoid(log_odds: np.ndarray) -> np.ndarray:
    return np.asarray(0.5 * (1 + np.tanh(log_odds / 2)))
