"""What a replay says about two writers, and about each of them alone."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from midfill.inference.measuring.replay.replaying import Moment
from midfill.inference.measuring.replay.statistics import (
    Distribution,
    Speedup,
    distribution,
    speedup,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from midfill.inference.measuring.replay.replaying import Answer, Key


@dataclass(frozen=True, slots=True)
class MomentFigures:
    """A writer's suggestions of one kind.

    Attributes:
        ms: from the request to the final text.
        tokens, steps, tokens_per_step: of a suggestion.
        read: tokens of the prompt that were new to it.
        stages: milliseconds of each part.
    """

    ms: Distribution
    tokens: Distribution | None
    steps: Distribution | None
    tokens_per_step: Distribution | None
    read: Distribution | None
    stages: Mapping[str, Distribution]


@dataclass(frozen=True, slots=True)
class Comparison:
    """Another writer next to ours, request by request.

    Attributes:
        other: its name.
        all: every request that both answered.
        same_text: those at which both wrote the same visible text, blanks at its end aside.
        cold, warm, held: parts of ``all``; ``held`` is where our suggestion before still stood.
        same_share: how many of all had the same visible text, 0 to 1.
    """

    other: str
    all: Speedup | None
    same_text: Speedup | None
    cold: Speedup | None
    warm: Speedup | None
    held: Speedup | None
    same_share: float


HELD = "held"
KINDS: dict[str, Callable[[Key, Answer], bool]] = {
    Moment.COLD: lambda key, answer: key.moment is Moment.COLD,
    Moment.WARM: lambda key, answer: key.moment is Moment.WARM,
    HELD: lambda key, answer: answer.held,
}
"""The kinds of requests that are told apart; what is held is warm, too."""


def figures(answers: Mapping[Key, Answer]) -> dict[str, MomentFigures]:
    """A writer's figures by kind; kinds without a request are left out."""
    found = {}
    for kind, belongs in KINDS.items():
        part = [answer for key, answer in answers.items() if belongs(key, answer)]
        if (one := _figures(part)) is not None:
            found[kind] = one
    return found


def compare(name: str, ours: Mapping[Key, Answer], theirs: Mapping[Key, Answer]) -> Comparison:
    """Pair the requests that both answered."""
    both = [key for key in ours if key in theirs]
    same = [key for key in both if same_text(ours[key], theirs[key])]

    def of(keys: Iterable[Key]) -> Speedup | None:
        pairs: dict[int, list[tuple[float, float]]] = defaultdict(list)
        for key in keys:
            pairs[key.line].append((ours[key].written.ms, theirs[key].written.ms))
        return speedup(pairs)

    def kind(name: str) -> Speedup | None:
        return of(key for key in both if KINDS[name](key, ours[key]))

    return Comparison(
        name,
        all=of(both),
        same_text=of(same),
        cold=kind(Moment.COLD),
        warm=kind(Moment.WARM),
        held=kind(HELD),
        same_share=len(same) / len(both) if both else 0.0,
    )


def same_text(one: Answer, other: Answer) -> bool:
    """Whether both suggested the same, and something that can be seen."""
    text = one.written.text.rstrip()
    return text.strip() != "" and text == other.written.text.rstrip()


def _figures(answers: list[Answer]) -> MomentFigures | None:
    written = [answer.written for answer in answers]
    if (ms := distribution([one.ms for one in written])) is None:
        return None
    stages: dict[str, list[float]] = defaultdict(list)
    for one in written:
        for name, value in one.stages.items():
            stages[name].append(value)
    return MomentFigures(
        ms=ms,
        tokens=distribution([one.tokens for one in written if one.tokens is not None]),
        steps=distribution([one.steps for one in written if one.steps is not None]),
        tokens_per_step=distribution(
            [one.tokens / one.steps for one in written if one.tokens is not None and one.steps]
        ),
        read=distribution([one.read for one in written if one.read is not None]),
        stages={
            name: found
            for name, values in stages.items()
            if (found := distribution(values)) is not None
        },
    )
