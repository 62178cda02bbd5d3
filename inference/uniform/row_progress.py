"""How far a canvas has come, as a draft shows it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from midfill.inference.uniform.denoising import Step


class RowProgress:
    """How far the free slots of a canvas of one row have come.

    Attributes:
        steps: made.
        best: the most probable tokens.
        log_probabilities: of them.
        settled: the leading ones that the step before had found most probable too.
        unsettled: how many slots changed.
    """

    def __init__(self) -> None:
        self.steps = 0
        self.best: list[int] = []
        self.log_probabilities: list[float] = []
        self.settled: list[int] = []
        self.unsettled = 0

    def take(self, step: Step, slots: int) -> None:
        """Look at the first ``slots`` slots after one more step."""
        before, self.best = self.best, step.best[0, :slots].tolist()
        self.log_probabilities = step.log_probability[0, :slots].tolist()
        self.steps = step.number
        same = [a == b for a, b in zip(before, self.best, strict=False)] or [False] * slots
        self.unsettled = same.count(False)
        self.settled = self.best[: same.index(False) if self.unsettled else slots]
