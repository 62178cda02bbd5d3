"""How far a canvas has come, as a draft shows it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

    from midfill.inference.uniform.denoising import Step


class RowProgress:
    """How far the free slots of a canvas of one row have come.

    Attributes:
        steps: made.
        best: the most probable tokens.
        settled: the leading ones that the step before had found most probable too.
        unsettled: how many slots changed.
    """

    def __init__(self) -> None:
        self.steps = 0
        self.best: list[int] = []
        self._log_probability: Tensor | None = None
        self.settled: list[int] = []
        self.unsettled = 0

    def take(self, step: Step, slots: int) -> None:
        """Look at the first ``slots`` slots after one more step."""
        before, self.best = self.best, step.best[0, :slots].tolist()
        self._log_probability = step.log_probability[0, :slots]
        self.steps = step.number
        same = [a == b for a, b in zip(before, self.best, strict=False)] or [False] * slots
        self.unsettled = same.count(False)
        self.settled = self.best[: same.index(False) if self.unsettled else slots]

    @property
    def log_probabilities(self) -> list[float]:
        """Those of ``best``, nats. To be asked for at the end: it waits for the device."""
        if self._log_probability is None:
            return []
        values: list[float] = self._log_probability.tolist()
        return values
