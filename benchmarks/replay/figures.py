"""From what happened in a replay to its figures."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from midfill.lsp.acceptance.counted import Event
from midfill.lsp.acceptance.offer import Source

from .tally import Fate

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from midfill.lsp.acceptance.counted import Counted
    from midfill.lsp.acceptance.outcome import Outcome

    from .tally import Request, Tally

STAGES = ("wait", "engine", "encode", "denoise", "total")


@dataclass(frozen=True, slots=True)
class Spread:
    """Milliseconds; zeros if there are none."""

    p50: float
    p95: float
    n: int


@dataclass(frozen=True, slots=True)
class Figures:
    """
    Attributes:
        typing: keys and characters.
        requests: what became of them, as the typist saw it.
        server: what the server says it did with them, and
        kept_back: why it answered with nothing.
        shares: of characters and keys that were saved, of requests that needed no engine.
        latency: from a key to the answer, if that was there before the next key.
        stages: of suggestions that the engine was asked for.
    """

    typing: Mapping[str, float]
    requests: Mapping[str, int]
    server: Mapping[str, int]
    kept_back: Mapping[str, int]
    shares: Mapping[str, float | None]
    latency: Mapping[str, Spread]
    stages: Mapping[str, Spread]


def spread(milliseconds: Iterable[float]) -> Spread:
    """The median and the 95th percentile, each a value that was measured."""
    ordered = sorted(milliseconds)
    if not ordered:
        return Spread(0.0, 0.0, 0)
    middle, high = (ordered[round(part * (len(ordered) - 1))] for part in (0.5, 0.95))
    return Spread(middle, high, len(ordered))


def figures(tally: Tally, counts: Sequence[Counted], outcomes: Sequence[Outcome]) -> Figures:
    """Args: counts, outcomes: the server's own records of the run."""
    server: Counter[str] = Counter()
    kept_back: Counter[str] = Counter()
    for one in counts:
        server[one.event.value] += one.count
        if one.event is Event.KEPT_BACK:
            kept_back[one.reason] += one.count
    asked = server[Event.ASKED]
    of_fate = {fate: [one for one in tally.requests if one.fate is fate] for fate in Fate}
    from_engine = [
        outcome.circumstances.latency
        for outcome in outcomes
        if outcome.circumstances.source is Source.ENGINE
    ]
    strokes = tally.keys + tally.spared
    return Figures(
        typing={
            "seconds": round(tally.seconds, 1),
            "traces": tally.traces,
            "keys": tally.keys,
            "characters_written": tally.written,
            "characters_accepted": tally.accepted,
            "suggestions": tally.suggestions,
            "suggestions_read": tally.read,
            "accepted": tally.acceptances,
            "of_these_the_first_line": tally.in_part,
        },
        requests={"made": len(tally.requests)}
        | {fate.name.lower(): len(ones) for fate, ones in of_fate.items()},
        server={event.value: server[event.value] for event in Event},
        kept_back=dict(kept_back.most_common()),
        shares={
            "characters_saved": _share(tally.accepted, tally.written),
            # the key that accepts is one more
            "keys_saved": _share(tally.spared - tally.acceptances, strokes),
            "requests_without_engine": _share(asked - server[Event.ENGINE], asked),
            "read_suggestions_accepted": _share(tally.acceptances, tally.read),
        },
        latency={
            "shown": spread(_times(of_fate[Fate.IN_TIME])),
            "typed_through": spread(_times(one for one in tally.requests if one.typed_through)),
            "nothing": spread(_times(of_fate[Fate.NOTHING])),
        },
        stages={
            stage: spread(getattr(latency, stage) for latency in from_engine) for stage in STAGES
        },
    )


def _times(requests: Iterable[Request]) -> list[float]:
    return [request.milliseconds for request in requests if request.milliseconds is not None]


def _share(part: float, whole: float) -> float | None:
    return part / whole if whole else None
