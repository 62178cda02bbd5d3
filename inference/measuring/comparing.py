"""Contenders side by side: each fills the same hole right after the other."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from midfill.inference.errors import MidfillError
from midfill.inference.measuring.figures import spread
from midfill.inference.measuring.report import KindFigures, Ratio
from midfill.inference.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from midfill.inference.measuring.contender import Contender, TimedFill
    from midfill.inference.measuring.memory import MemoryWatch
    from midfill.inference.measuring.places import Place
    from midfill.inference.progress import ProgressListener


@dataclass(slots=True)
class Tally:
    """One contender's fills.

    Attributes:
        cold, warm: for each kind of hole, in the order of the holes.
        peak: bytes by which memory grew at most.
        failure: why it was left out from some point on.
    """

    cold: dict[str, list[TimedFill]] = field(default_factory=lambda: defaultdict(list))
    warm: dict[str, list[TimedFill]] = field(default_factory=lambda: defaultdict(list))
    peak: int = 0
    failure: str = ""

    def figures(self, kind: str) -> KindFigures:
        cold, warm = self.cold[kind], self.warm[kind]
        both = [*cold, *warm]
        return KindFigures(
            cold_ms=spread([1e3 * fill.seconds for fill in cold]),
            warm_ms=spread([1e3 * fill.seconds for fill in warm]),
            step_ms=spread([1e3 * step for fill in both for step in fill.step_seconds]),
            steps=spread([fill.steps for fill in both]),
            tokens=spread([fill.tokens for fill in both]),
            tokens_per_step=spread([fill.tokens / fill.steps for fill in both if fill.steps]),
            tokens_per_second=spread([fill.tokens / fill.seconds for fill in cold]),
            tokens_per_second_warm=spread([fill.tokens / fill.seconds for fill in warm]),
        )


def compare(
    contenders: Sequence[Contender],
    holes: Mapping[str, Sequence[Place]],
    repeat: int,
    memory: MemoryWatch,
    listener: ProgressListener,
) -> tuple[Tally, ...]:
    """Fill every hole so many times with every contender.

    One hole of each kind is filled once more before, which is not counted.

    Args:
        contenders: the first one says how many tokens the others write.
        holes: places of each kind.
        repeat: rounds.
        memory: of the device.
        listener: told how far it is.

    Raises:
        MidfillError: the first one cannot fill. Others that cannot are left out.
    """
    tallies = tuple(Tally() for _ in contenders)
    total = len(holes) + repeat * sum(map(len, holes.values()))
    done = 0
    for number in range(repeat + 1):
        for kind, places in holes.items():
            for place in places[:1] if number == 0 else places:
                listener(Progress("measuring", done / total, f"{kind}, {place.name}"))
                _measure(contenders, tallies, kind, place, number, memory)
                done += 1
        if number == 0:
            for tally in tallies:
                tally.cold.clear()
                tally.warm.clear()
    return tallies


def ratios(name: str, other: Tally, ours: Tally, kinds: Sequence[str]) -> tuple[Ratio, ...]:
    """Another contender's times divided by ours, hole by hole."""

    def divided(theirs: list[TimedFill], own: list[TimedFill]) -> list[float]:
        return [a.seconds / b.seconds for a, b in zip(theirs, own, strict=False)]

    return tuple(
        Ratio(
            name,
            kind,
            cold=spread(divided(other.cold[kind], ours.cold[kind])),
            warm=spread(divided(other.warm[kind], ours.warm[kind])),
        )
        for kind in kinds
        if not other.failure
    )


def _measure(
    contenders: Sequence[Contender],
    tallies: Sequence[Tally],
    kind: str,
    place: Place,
    number: int,
    memory: MemoryWatch,
) -> None:
    """One hole: cold one after the other, then warm one after the other."""
    for contender in contenders:
        contender.forget()
    for typed in (0, 1):
        request, tokens = place.request(number, typed=typed), 0
        for contender, tally in zip(contenders, tallies, strict=True):
            if tally.failure:
                continue
            try:
                with memory.watch() as peak:
                    fill = contender.fill(request, tokens)
            except MidfillError as error:
                if contender is contenders[0]:
                    raise
                tally.failure = str(error)
                continue
            if contender is contenders[0]:
                tokens = fill.tokens
            (tally.warm if typed else tally.cold)[kind].append(fill)
            tally.peak = max(tally.peak, peak.grown)
