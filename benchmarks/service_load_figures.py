"""How long requests took, by kind, and how many people an engine carries by that measure.

A request that finds its suggestion still right takes one step, one on a new line about ten. So what
lies between the quickest and the slowest says little over all kinds, and something for each; and
what a denoising step takes, waiting included, says whether everybody has their turn.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from itertools import chain
from statistics import median, quantiles
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

MOST = 2.0
"""Times the median of a kind: as long as its 95th percentile is no more, the load is carried."""

ENOUGH = 20
"""Requests of a kind; of fewer, the 95th percentile is the slowest."""


STEP = "a step"
"""The name of the figures of a denoising step, beside those of the kinds."""


class Kind(StrEnum):
    """What somebody does who asks, going by their own last answer."""

    NEW_LINE = "new line"
    """They have come to another line since, or have had no answer yet."""
    TYPED_ON = "typed on"
    """They type what was not suggested, or behind it."""
    HELD = "held"
    """They type what was suggested, and some of it is still to come."""


def kind_of(typed: str, suggested: str | None) -> Kind:
    """Args:
    typed: since the last answer.
    suggested: by that answer; None if there was none.
    """
    if suggested is None or "\n" in typed:
        return Kind.NEW_LINE
    if len(typed) < len(suggested) and suggested.startswith(typed):
        return Kind.HELD
    return Kind.TYPED_ON


@dataclass(slots=True)
class Outcome:
    """What some people got of one engine in one round.

    Attributes:
        seconds: from asking to the final fill, by kind.
        a_step: the same of all kinds, divided by the fill's denoising steps.
        lasted: seconds that the round took.
    """

    seconds: dict[Kind, list[float]] = field(default_factory=lambda: {kind: [] for kind in Kind})
    a_step: list[float] = field(default_factory=list)
    hit_tokens: int = 0
    new_tokens: int = 0
    refused: int = 0
    failed: int = 0
    lasted: float = 0.0

    def add(self, other: Outcome) -> None:
        """Count what another person got as well."""
        for kind, seconds in other.seconds.items():
            self.seconds[kind] += seconds
        self.a_step += other.a_step
        self.hit_tokens += other.hit_tokens
        self.new_tokens += other.new_tokens
        self.refused += other.refused
        self.failed += other.failed

    def figures(self) -> dict[str, Any]:
        over_all = spread(chain(*self.seconds.values()))
        read = self.hit_tokens + self.new_tokens
        return {
            **over_all,
            "requests_a_second": over_all["requests"] / self.lasted if self.lasted else 0.0,
            "hit_share": self.hit_tokens / read if read else 0.0,
            "refused": self.refused,
            "failed": self.failed,
            "kinds": {kind.value: spread(seconds) for kind, seconds in self.seconds.items()},
            STEP: spread(self.a_step),
        }


def spread(seconds: Iterable[float]) -> dict[str, Any]:
    """Percentiles in ms and their ratio; None where nothing was asked."""
    every = sorted(seconds)
    if not every:
        return {"requests": 0, "p50_ms": None, "p95_ms": None, "p99_ms": None, "p95_to_p50": None}
    cuts = quantiles(every, n=100, method="inclusive") if len(every) > 1 else every * 99
    return {
        "requests": len(every),
        "p50_ms": 1e3 * median(every),
        "p95_ms": 1e3 * cuts[94],
        "p99_ms": 1e3 * cuts[98],
        "p95_to_p50": cuts[94] / median(every),
    }


def figures_by_kind(a_round: Mapping[str, Any]) -> dict[str, Any]:
    """What `spread` says of each kind, and of a step."""
    return {**a_round["kinds"], STEP: a_round[STEP]}


def carried(rounds: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, int]]:
    """By engine and kind, and `STEP`, how many people there may be; 0 where one is too many.

    So many, and all smaller numbers that were tried, have their 95th percentile within `MOST` times
    the median, of `ENOUGH` requests, and nobody is refused.

    Args:
        rounds: what `Outcome.figures` says of each, with its number of ``people`` and ``engine``.
    """
    found: dict[str, dict[str, int]] = {}
    for engine in dict.fromkeys(it["engine"] for it in rounds):
        own = sorted((it for it in rounds if it["engine"] == engine), key=lambda it: it["people"])
        found[engine] = {kind: _carried(own, kind) for kind in (*map(str, Kind), STEP)}
    return found


def _carried(rounds: Iterable[Mapping[str, Any]], kind: str) -> int:
    people = 0
    for it in rounds:
        of_kind = figures_by_kind(it)[kind]
        if it["refused"] or it["failed"] or of_kind["requests"] < ENOUGH:
            break
        if of_kind["p95_to_p50"] > MOST:
            break
        people = it["people"]
    return people
