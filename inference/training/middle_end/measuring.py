"""The table of results: how often each way to end a middle ends it exactly."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from midfill.inference.evaluation.intervals import Estimate, row_mean
from midfill.inference.training.middle_end.replay import Outcome, outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from midfill.inference.training.middle_end.policies import Policy, Replay
    from midfill.inference.training.middle_end.replay import Trace


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the table.

    Attributes:
        group: which holes.
        holes: how many.
        exact: their share, with its 95 % interval.
        early, late: shares; a middle whose end is not found is late.
        gain: of the exact share over the first policy's, on the same holes.
    """

    policy: str
    group: str
    holes: int
    exact: Estimate
    early: float
    late: float
    gain: Estimate


def measure(policies: Sequence[tuple[Policy, Sequence[Replay]]], seed: int) -> Iterator[Line]:
    """Lines for each group of holes and each policy; all policies see the same holes in order."""
    first_policy, first_replays = policies[0]
    first = [one.outcome(first_policy) for one in first_replays]
    traces = [one.trace for one in first_replays]
    found = [(policy, [one.outcome(policy) for one in replays]) for policy, replays in policies]
    for group, belongs in GROUPS.items():
        chosen = [i for i, trace in enumerate(traces) if belongs(trace)]
        if not chosen:
            continue
        tasks = [traces[i].hole.task for i in chosen]
        for policy, outcomes in found:
            counts = Counter(outcomes[i] for i in chosen)
            exact = [float(outcomes[i] is Outcome.EXACT) for i in chosen]
            gain = [
                e - float(first[i] is Outcome.EXACT) for e, i in zip(exact, chosen, strict=True)
            ]
            yield Line(
                policy=policy.name,
                group=group,
                holes=len(chosen),
                exact=row_mean(exact, tasks, seed),
                early=counts[Outcome.EARLY] / len(chosen),
                late=counts[Outcome.LATE] / len(chosen),
                gain=row_mean(gain, tasks, seed),
            )


@dataclass(frozen=True, slots=True)
class FreeLine:
    """One line of the table of what the base writes by itself.

    Attributes:
        exact: the share of holes in which the true middle comes out.
        similarity: to the true middle; see `evaluation.edit_similarity`.
        ended: the share of texts in which an end is found.
        tokens: written, on average.
    """

    policy: str
    group: str
    holes: int
    exact: Estimate
    similarity: Estimate
    ended: float
    tokens: float


def measure_free(
    policies: Sequence[tuple[Policy, Sequence[Replay]]], seed: int
) -> Iterator[FreeLine]:
    """The same on texts of which nobody knows where they should end."""
    for group, belongs in GROUPS.items():
        for policy, replays in policies:
            chosen = [one for one in replays if belongs(one.trace)]
            if not chosen:
                continue
            tasks = [one.trace.hole.task for one in chosen]
            ends = [one.ended(policy) for one in chosen]
            traces = [one.trace for one in chosen]
            exact = [
                float(end is not None and outcome(trace, end[0]) is Outcome.EXACT)
                for trace, end in zip(traces, ends, strict=True)
            ]
            similar = [one.similarity(policy) for one in chosen]
            written = [one.written(policy) for one in chosen]
            yield FreeLine(
                policy=policy.name,
                group=group,
                holes=len(chosen),
                exact=row_mean(exact, tasks, seed),
                similarity=row_mean(similar, tasks, seed),
                ended=sum(end is not None for end in ends) / len(ends),
                tokens=sum(written) / len(written),
            )


def _kind(kind: str) -> Callable[[Trace], bool]:
    return lambda trace: trace.hole.kind == kind


GROUPS: dict[str, Callable[[Trace], bool]] = {
    "all": lambda trace: True,
    "one line": _kind("one line"),
    "one line, its rest stays": lambda trace: trace.hole.part == "in line",
    "several lines": _kind("several lines"),
    "random span": _kind("random span"),
    "Python": lambda trace: trace.hole.language == "python",
    "other languages": lambda trace: trace.hole.language != "python",
}


def as_markdown(lines: Sequence[Line]) -> str:
    """The lines as a table."""
    rows = [
        "| holes | n | ended by | exact | early | late | gain |",
        "|---|--:|---|--:|--:|--:|--:|",
    ]
    for line in lines:
        rows.append(
            f"| {line.group} | {line.holes} | {line.policy} | {_interval(line.exact)} "
            f"| {_share(line.early)} | {_share(line.late)} | {_interval(line.gain, signed=True)} |"
        )
    return "\n".join(rows) + "\n"


def free_as_markdown(lines: Sequence[FreeLine]) -> str:
    """The lines as a table."""
    rows = [
        "| holes | n | ended by | exact | similarity | ended | tokens |",
        "|---|--:|---|--:|--:|--:|--:|",
    ]
    for line in lines:
        rows.append(
            f"| {line.group} | {line.holes} | {line.policy} | {_interval(line.exact)} "
            f"| {_interval(line.similarity)} | {_share(line.ended)} | {line.tokens:.1f} |"
        )
    return "\n".join(rows) + "\n"


def _share(value: float) -> str:
    return f"{100 * value:.1f} %"


def _interval(estimate: Estimate, *, signed: bool = False) -> str:
    sign = "+" if signed else ""
    low, high = 100 * estimate.low, 100 * estimate.high
    return f"{100 * estimate.value:{sign}.1f} % ({low:{sign}.1f} … {high:{sign}.1f})"
