"""CAL: the length at which an all-masked canvas is surest, its liking for short ones taken out."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import exp
from typing import TYPE_CHECKING

from midfill.inference.in_place.lengths.control import clamped

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from midfill.inference.in_place.canvas import HoleCanvas
    from midfill.inference.in_place.lengths.control import LengthScore


@dataclass(frozen=True, slots=True)
class LengthBias:
    """How sure a model is of an all-masked canvas by its length alone.

    ``bias(L) = a·exp(−b·L) + c·exp(−d·L) + e``. The defaults are the published constants, used
    there for LLaDA, Dream-Coder and DiffuCoder alike.
    """

    a: float = 1.00
    b: float = 1.77
    c: float = 0.56
    d: float = 0.06
    e: float = 0.24

    def __call__(self, length: int) -> float:
        return self.a * exp(-self.b * length) + self.c * exp(-self.d * length) + self.e


@dataclass(frozen=True, slots=True)
class CalibratedSearch:
    """Searches the number of slots before the first step, without any training.

    ``score(L) = Φ(L) / bias(L)``, where ``Φ(L)`` is the mean over the slots of the largest
    probability with all of them masked. From ``start`` the length goes up by one and the best is
    kept until ``patience`` lengths in a row have not improved on it; then down from ``start - 1``
    by the same rule, with the same running best. Lengths are scored ``batch`` at a time, in one
    forward pass; which are scored changes nothing of the outcome.

    Attributes:
        start: where the search begins.
        longest: slots at most, whatever there is room for.
        patience: lengths without improvement before a direction is given up.
        batch: lengths in one forward pass; on a GPU as many as the search may need.
        bias: of the model.
        control_tokens: that the model has for lengths and that are not wanted here.

    Source: CAL, Calibrated Adaptive Length, arXiv 2602.00476.
    """

    start: int = 8
    longest: int = 64
    patience: int = 4
    batch: int = 8
    bias: LengthBias = field(default_factory=LengthBias)
    control_tokens: frozenset[int] = frozenset()

    @property
    def varies(self) -> bool:
        return False

    def begin(self, score: LengthScore, least: int, most: int) -> int:
        most = max(least, min(most, self.longest))
        start = clamped(self.start, least, most)
        table = _Table(score, self.bias, self.batch, least, most)
        best, best_score = start, table(start, +1)
        for step, first, last in ((+1, start + 1, most), (-1, start - 1, least)):
            failures = 0
            for length in range(first, last + step, step):
                if (reached := table(length, step)) > best_score:
                    best, best_score, failures = length, reached, 0
                else:
                    failures += 1
                    if failures == self.patience:
                        break
        return best

    def forbidden(self, canvas: HoleCanvas, most: int) -> Collection[int]:
        return self.control_tokens

    def adjust(self, canvas: HoleCanvas, opened: Sequence[int], most: int) -> HoleCanvas:
        return canvas


@dataclass(slots=True)
class _Table:
    """Calibrated scores by length, a batch of neighbours at a time."""

    score: LengthScore
    bias: LengthBias
    batch: int
    least: int
    most: int
    known: dict[int, float] = field(default_factory=dict)

    def __call__(self, length: int, step: int) -> float:
        if length not in self.known:
            behind = range(length, length + step * self.batch, step)
            wanted = [
                other
                for other in behind
                if self.least <= other <= self.most and other not in self.known
            ]
            for other, surety in zip(wanted, self.score(wanted), strict=True):
                self.known[other] = surety / self.bias(other)
        return self.known[length]
