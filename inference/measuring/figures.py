"""What many measurements of one thing come to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class Spread:
    """How a figure is spread.

    Attributes:
        n: how often it was measured.
        p50, p95: the median and the 95th percentile, each a value that was measured.
        least, most: the smallest and the largest.
    """

    n: int
    p50: float
    p95: float
    least: float
    most: float


def spread(values: Sequence[float]) -> Spread | None:
    """None if nothing was measured."""
    if not values:
        return None
    ordered = sorted(values)
    p50, p95 = (ordered[round(part * (len(ordered) - 1))] for part in (0.5, 0.95))
    return Spread(len(ordered), p50, p95, ordered[0], ordered[-1])
