"""Figures from the records of suggestions, as one object for programs and the tables for people."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import datetime
from math import sqrt
from typing import TYPE_CHECKING

from midfill.lsp.acceptance.counted import Counted, Event
from midfill.lsp.acceptance.offer import Source
from midfill.lsp.acceptance.outcome import TAKEN, Ending, Outcome

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import tzinfo

BANDS = 10
"""So many bands of confidence of the same width."""

STAGES = ("wait", "engine", "encode", "denoise", "total")
"""Of suggestions that the engine made."""

UNKNOWN_LANGUAGE = "(none)"


@dataclass(frozen=True, slots=True)
class Rate:
    """How often something happened, and where the true rate lies with 95 % certainty.

    Attributes:
        value, low, high: 0 … 1; None if it could never happen.
    """

    hits: int
    cases: int
    value: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class Group:
    """Suggestions that have something in common.

    Attributes:
        name: what they have in common.
        shown: how many of them somebody can have read.
        acceptance: how often a shown one was accepted, in all or in part.
        saved: characters that nobody had to type.
    """

    name: str
    shown: int
    acceptance: Rate
    saved: int


@dataclass(frozen=True, slots=True)
class Percentiles:
    """Of so many values, in milliseconds."""

    cases: int
    p50: float
    p95: float


@dataclass(frozen=True, slots=True)
class Kept:
    """What is left of accepted text after 30 s.

    Attributes:
        exact: how often all of it.
        share: of the characters saved, 0 … 1; None if none was looked at.
    """

    exact: Rate
    share: float | None


@dataclass(frozen=True, slots=True)
class Figures:
    """All that `midfill stats` says.

    Attributes:
        since: the first suggestion's time, in seconds since the epoch; None if there is none.
        endings: how many suggestions ended how, all of them named.
        suggested: characters of all that were shown.
        saved: those that nobody had to type.
        typed: those that were typed although they had been suggested.
        hours: of the day, from 00 to 23, those with suggestions.
        confidences: bands, those with suggestions.
        latencies: by stage, for suggestions that the engine made.
        memory: milliseconds in all, for those that were known already.
        requests: by `Event`, all of them named.
        reasons: codes of why nothing was shown, the most frequent first.
    """

    since: float | None
    endings: dict[str, int]
    all: Group
    kept: Kept
    suggested: int
    saved: int
    typed: int
    languages: list[Group]
    hours: list[Group]
    confidences: list[Group]
    latencies: dict[str, Percentiles]
    memory: Percentiles | None
    requests: dict[str, int]
    reasons: dict[str, int]

    @property
    def empty(self) -> bool:
        """Whether nothing was recorded."""
        return self.since is None and not any(self.requests.values())


def figures(
    outcomes: Sequence[Outcome], counts: Iterable[Counted], zone: tzinfo | None = None
) -> Figures:
    """Figures of some records.

    Args:
        zone: in which hours are counted; None is this machine's.
    """
    counts = list(counts)
    endings = Counter(outcome.ending for outcome in outcomes)
    made = [one.circumstances.latency for one in outcomes if _is_from(one, Source.ENGINE)]
    known = [one.circumstances.latency for one in outcomes if _is_from(one, Source.MEMORY)]
    return Figures(
        since=min((one.circumstances.at for one in outcomes), default=None),
        endings={ending.value: endings[ending] for ending in Ending},
        all=_group("all", outcomes),
        kept=_kept(outcomes),
        suggested=sum(one.circumstances.characters for one in outcomes if one.seen),
        saved=_saved(outcomes),
        typed=sum(outcome.typed for outcome in outcomes),
        languages=_by_language(outcomes),
        hours=_by_hour(outcomes, zone),
        confidences=_by_confidence(outcomes),
        latencies={
            stage: percentiles([getattr(latency, stage) for latency in made])
            for stage in STAGES
            if made
        },
        memory=percentiles([latency.total for latency in known]) if known else None,
        requests={
            event.value: sum(one.count for one in counts if one.event is event) for event in Event
        },
        reasons=_reasons(counts),
    )


def rate(hits: int, cases: int) -> Rate:
    """A share and its 95 % interval, which holds for few cases as well.

    Source: Wilson, "Probable inference, the law of succession, and statistical inference", 1927.
    """
    if cases == 0:
        return Rate(0, 0, None, None, None)
    z = 1.959964
    share = hits / cases
    middle = share + z * z / (2 * cases)
    half = z * sqrt(share * (1 - share) / cases + z * z / (4 * cases * cases))
    scale = 1 + z * z / cases
    low, high = (middle - half) / scale, (middle + half) / scale
    return Rate(hits, cases, share, max(low, 0.0), min(high, 1.0))


def percentiles(values: Sequence[float]) -> Percentiles:
    """The 50th and the 95th of some values, at least one; in between, on a straight line."""
    ordered = sorted(values)

    def at(share: float) -> float:
        place = share * (len(ordered) - 1)
        below = int(place)
        above = min(below + 1, len(ordered) - 1)
        return ordered[below] + (place - below) * (ordered[above] - ordered[below])

    return Percentiles(len(ordered), at(0.50), at(0.95))


def _is_from(outcome: Outcome, source: Source) -> bool:
    return outcome.circumstances.source is source


def _group(name: str, outcomes: Iterable[Outcome]) -> Group:
    shown = [outcome for outcome in outcomes if outcome.seen]
    accepted = sum(outcome.ending in TAKEN for outcome in shown)
    return Group(name, len(shown), rate(accepted, len(shown)), _saved(shown))


def _saved(outcomes: Iterable[Outcome]) -> int:
    return sum(outcome.taken for outcome in outcomes if outcome.ending in TAKEN)


def _kept(outcomes: Iterable[Outcome]) -> Kept:
    looked_at = [(one, one.kept) for one in outcomes if one.kept is not None]
    saved = sum(one.taken for one, _ in looked_at)
    left = sum(one.taken * share for one, share in looked_at)
    exact = sum(bool(one.exact) for one, _ in looked_at)
    return Kept(rate(exact, len(looked_at)), left / saved if saved else None)


def _by_language(outcomes: Iterable[Outcome]) -> list[Group]:
    groups = defaultdict(list)
    for outcome in outcomes:
        groups[outcome.circumstances.language or UNKNOWN_LANGUAGE].append(outcome)
    found = [_group(name, members) for name, members in groups.items()]
    return sorted(found, key=lambda group: (-group.shown, group.name))


def _by_hour(outcomes: Iterable[Outcome], zone: tzinfo | None) -> list[Group]:
    groups = defaultdict(list)
    for outcome in outcomes:
        groups[datetime.fromtimestamp(outcome.circumstances.at, zone).hour].append(outcome)
    return [_group(f"{hour:02}", groups[hour]) for hour in sorted(groups)]


def _by_confidence(outcomes: Iterable[Outcome]) -> list[Group]:
    groups = defaultdict(list)
    for outcome in outcomes:
        groups[min(int(outcome.circumstances.confidence * BANDS), BANDS - 1)].append(outcome)
    return [
        _group(f"{band / BANDS:.1f}–{(band + 1) / BANDS:.1f}", groups[band])
        for band in sorted(groups)
    ]


def _reasons(counts: Iterable[Counted]) -> dict[str, int]:
    found: Counter[str] = Counter()
    for one in counts:
        if one.event is Event.KEPT_BACK:
            found[one.reason] += one.count
    return dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))
