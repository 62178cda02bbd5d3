"""What a threshold does: how many fills are shown, and how many of those are right."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class Shown:
    """What is shown from one threshold on.

    Attributes:
        threshold: fills that are at least this likely are shown.
        share: of all fills that show something.
        precision: the share of the shown that are exactly right; NaN if none is shown.
        kept: the share of the right ones that are shown; NaN if none is right.
    """

    threshold: float
    share: float
    precision: float
    kept: float


def shown_from(chances: np.ndarray, right: np.ndarray, threshold: float) -> Shown:
    """What one threshold shows of fills with ``chances`` (fills,) and ``right`` (fills,) bool."""
    chosen = chances >= threshold
    return Shown(
        threshold,
        share=float(chosen.mean()),
        precision=float(right[chosen].mean()) if chosen.any() else float("nan"),
        kept=float(chosen[right].mean()) if right.any() else float("nan"),
    )


def curve(chances: np.ndarray, right: np.ndarray) -> list[Shown]:
    """What each threshold shows that makes a difference, from the lowest to the highest."""
    return [shown_from(chances, right, float(threshold)) for threshold in np.unique(chances)]
