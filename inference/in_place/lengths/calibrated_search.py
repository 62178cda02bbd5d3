"""CAL: the length at which an all-masked canvas is surest, its liking for short ones taken out."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from midfill.inference.in_place.lengths.control import TimeIsUp, clamped
from midfill.inference.length_bias import LengthBias

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from midfill.inference.in_place.canvas import HoleCanvas
    from midfill.inference.in_place.lengths.control import LengthScore


@dataclass(frozen=True, slots=True)
class CalibratedSearch:
    """Searches the number of slots before the first step, without any training.

    ``score(L) = Φ(L) / bias(L)``, where ``Φ(L)`` is the mean over the slots of the largest
    probability with all of them masked. From ``start`` the length goes up by one and the best is
    kept until ``patience`` lengths in a row have not improved on it; then down from ``start - 1``
    by the same rule, with the same running best. Lengths are scored together as long as it is
    certain that the rule will ask for them: as many as may still fail. None is scored in vain.

    Where the time is up, the best length so far is taken.

    Attributes:
        start: where the search begins.
        longest: slots at most, whatever there is room for.
        patience: lengths without improvement before a direction is given up.
        bias: of the model.
        control_tokens: that the model has for lengths and that are not wanted here.

    Source: CAL, Calibrated Adaptive Length, arXiv 2602.00476.
    """

    start: int = 8
    longest: int = 64
    patience: int = 4
    bias: LengthBias = field(default_factory=LengthBias)
    control_tokens: frozenset[int] = frozenset()

    @property
    def varies(self) -> bool:
        return False

    def begin(self, score: LengthScore, least: int, most: int) -> int:
        most = max(least, min(most, self.longest))
        start = clamped(self.start, least, most)
        search = _Search(score, self.bias, start)
        with suppress(TimeIsUp):
            search.climb(range(start, most + 1), self.patience)
            search.climb(range(start - 1, least - 1, -1), self.patience)
        return search.best

    def begin_with(
        self, believed: Sequence[int], least: int, most: int
    ) -> Sequence[int | None] | None:
        return believed if least <= len(believed) <= min(most, self.longest) else None

    def forbidden(self, canvas: HoleCanvas, most: int) -> Collection[int]:
        return self.control_tokens

    def adjust(self, canvas: HoleCanvas, opened: Sequence[int], most: int) -> HoleCanvas:
        return canvas


@dataclass(slots=True)
class _Search:
    """The best length so far, and how good it is."""

    score: LengthScore
    bias: LengthBias
    best: int
    reached: float = -1.0

    def climb(self, lengths: range, patience: int) -> None:
        """Go through lengths in order until so many in a row are no better than the best."""
        failures = 0
        while lengths and failures < patience:
            # The very first length is no failure, whatever it scores.
            certain = patience - failures + (self.reached < 0)
            together, lengths = lengths[:certain], lengths[certain:]
            for length, surety in zip(together, self.score(together), strict=True):
                calibrated = surety / self.bias(length)
                failures = 0 if calibrated > self.reached else failures + 1
                if not failures:
                    self.best, self.reached = length, calibrated
