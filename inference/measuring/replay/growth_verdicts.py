"""Whether latency grows with what it should not grow with, in one figure each."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

from midfill.inference.measuring.replay.growth import Series
from midfill.inference.measuring.replay.statistics import speedup

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from midfill.inference.measuring.replay.growth import GrowthSample
    from midfill.inference.measuring.replay.statistics import Speedup

TIMES_AS_LARGE = 10
WANTED = 1.2
"""Times as long a warm suggestion may take in a file ten times as large."""

SERVER = {
    Series.FILE_LINES: Series.FILE_LINES_SERVER,
    Series.DOCUMENTS: Series.DOCUMENTS_SERVER,
}
"""What the language server adds to what the engine takes."""


@dataclass(frozen=True, slots=True)
class GrowthVerdict:
    """A warm suggestion at two sizes.

    Attributes:
        series: what grows.
        small, large: the sizes.
        times: how many times as long it takes at the larger one, the language server's own share
            included where it was measured; ``ours_ms`` is at the smaller size, ``theirs_ms`` at
            the larger.
        met: whether that is no more than is wanted.
    """

    series: Series
    small: int
    large: int
    times: Speedup
    met: bool


def growth_verdicts(samples: Iterable[GrowthSample]) -> tuple[GrowthVerdict, ...]:
    """Of files, every size with the one ten times as large; of documents, the least and the most.

    The same requests are compared, so the interval says how much depends on which lines were typed.
    """
    kept = [*samples]
    found = []
    sizes = _sizes(kept, Series.FILE_LINES)
    for small in sizes:
        if TIMES_AS_LARGE * small in sizes:
            found.append(_verdict(kept, Series.FILE_LINES, small, TIMES_AS_LARGE * small))
    opened = _sizes(kept, Series.DOCUMENTS)
    if len(opened) > 1:
        found.append(_verdict(kept, Series.DOCUMENTS, opened[0], opened[-1]))
    return tuple(one for one in found if one is not None)


def _verdict(
    samples: Sequence[GrowthSample], series: Series, small: int, large: int
) -> GrowthVerdict | None:
    ours, theirs = (_requests(samples, series, size) for size in (small, large))
    pairs: dict[int, list[tuple[float, float]]] = defaultdict(list)
    for key in ours:
        if key in theirs:
            pairs[key[0]].append((ours[key], theirs[key]))
    times = speedup(pairs)
    return (
        None
        if times is None
        else GrowthVerdict(series, small, large, times, times.speedup <= WANTED)
    )


def _requests(
    samples: Sequence[GrowthSample], series: Series, size: int
) -> dict[tuple[int, int], float]:
    """Milliseconds by line and request."""
    own = [one.ms for one in samples if one.series == SERVER[series] and one.size == size]
    share = median(own) if own else 0.0
    return {
        (one.line, one.request): one.ms + share
        for one in samples
        if one.series == series and one.size == size
    }


def _sizes(samples: Sequence[GrowthSample], series: Series) -> list[int]:
    return sorted({one.size for one in samples if one.series == series})
