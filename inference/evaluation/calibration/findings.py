"""What a calibration was found to be worth, as tables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from midfill.inference.evaluation.calibration.scores import brier, log_loss, scores
from midfill.inference.evaluation.intervals import Estimate, row_mean

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from midfill.inference.evaluation.calibration.samples import Samples

THRESHOLDS = (0.0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.7, 0.9)


@dataclass(frozen=True, slots=True)
class Judged:
    """Fills with the chances that a calibration gives them which has not seen them.

    Attributes:
        title: which fills, and how it has not seen them.
        samples: the fills.
        chances: (fills,) in 0 … 1.
    """

    title: str
    samples: Samples
    chances: np.ndarray

    def one_line(self) -> Judged:
        """Those in holes of the kinds that are filled unasked."""
        chosen = self.samples.one_line
        return Judged(f"{self.title}, one line", self.samples.where(chosen), self.chances[chosen])


def groups(judged: Sequence[Judged]) -> Iterator[Judged]:
    """All fills of each, and those of one line where these are a part."""
    for one in judged:
        yield one
        if 0 < one.samples.one_line.sum() < len(one.samples):
            yield one.one_line()


def scores_as_markdown(judged: Sequence[Judged], seed: int) -> str:
    """A table of the scores, calibrated and not, and the paired differences."""
    lines = [
        "| fills | n | right | confidence | Brier | log loss | calibration error | ranking |",
        "|---|--:|--:|---|--:|--:|--:|--:|",
    ]
    for one in groups(judged):
        samples = one.samples
        right, tasks = samples.right, samples.tasks
        head = f"| {one.title} | {len(samples)} | {100 * right.mean():.0f} % "
        for name, chances in (
            ("calibrated", one.chances),
            ("geometric mean", samples.uncalibrated),
        ):
            found = scores(chances, right, tasks, seed)
            cells = (found.brier, found.log_loss, found.calibration_error, found.ranking)
            lines.append(f"{head}| {name} | {' | '.join(map(_interval, cells))} |")
            head = "| | | "
        gains = [
            row_mean(
                list(score(one.chances, right) - score(samples.uncalibrated, right)),
                [str(task) for task in tasks],
                seed,
            )
            for score in (brier, log_loss)
        ]
        lines.append(f"{head}| difference | {' | '.join(map(_signed, gains))} | | |")
    return "\n".join(lines) + "\n"


def thresholds_as_markdown(judged: Sequence[Judged], seed: int) -> str:
    """A table of what thresholds show; the shares among all fills, the shown, and the right."""
    lines = [
        "| fills | threshold | shown | right of the shown | right ones kept |",
        "|---|--:|--:|--:|--:|",
    ]
    for one in groups(judged):
        title = one.title
        for threshold in THRESHOLDS:
            shown, right = one.chances >= threshold, one.samples.right
            cells = (
                _share(of, among, one.samples.tasks, seed)
                for of, among in ((shown, np.ones_like(shown)), (right, shown), (shown, right))
            )
            lines.append(f"| {title} | {threshold:.2f} | {' | '.join(cells)} |")
            title = ""
    return "\n".join(lines) + "\n"


def _interval(estimate: Estimate) -> str:
    return f"{estimate.value:.3f} [{estimate.low:.3f}, {estimate.high:.3f}]"


def _signed(estimate: Estimate) -> str:
    return f"{estimate.value:+.3f} [{estimate.low:+.3f}, {estimate.high:+.3f}]"


def _share(of: np.ndarray, among: np.ndarray, tasks: np.ndarray, seed: int) -> str:
    """The share of ``of`` among ``among``, (fills,) bool both, with its interval."""
    if not among.any():
        return "–"
    estimate = row_mean(list(of[among]), [str(task) for task in tasks[among]], seed)
    low, high = 100 * estimate.low, 100 * estimate.high
    return f"{100 * estimate.value:.0f} % [{low:.0f}, {high:.0f}]"
