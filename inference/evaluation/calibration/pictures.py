"""A calibration as pictures: whether chances come true, and what a threshold shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from midfill.inference.evaluation.calibration.scores import bins
from midfill.inference.evaluation.calibration.showing import curve
from midfill.inference.training.whole_file import written_whole

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from midfill.inference.evaluation.calibration.findings import Judged

RELIABILITY = "confidence_reliability.png"
PRECISION = "confidence_precision.png"


def draw_pictures(folder: Path, judged: Sequence[Judged]) -> list[Path]:
    """Draw both pictures into a folder that is there; none where matplotlib is not installed.

    Args:
        folder: where to.
        judged: what to draw, at least one, side by side.

    Raises:
        MidfillError: a file cannot be written.
    """
    try:
        import matplotlib.figure  # noqa: F401
    except ImportError:
        return []
    drawn = []
    for name, draw in ((RELIABILITY, _reliability), (PRECISION, _precision)):
        figure = draw(judged)
        with written_whole(folder / name) as partial:
            figure.savefig(partial, format="png", dpi=120)
        drawn.append(folder / name)
    return drawn


def _panels(judged: Sequence[Judged]) -> tuple[Figure, list[Axes]]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.5 * max(len(judged), 2), 4.5), layout="constrained")
    panels = figure.subplots(1, len(judged), squeeze=False)[0]
    for axes, one in zip(panels, judged, strict=True):
        axes.set_title(f"{one.title} (n = {len(one.samples)})", fontsize=9)
        axes.set_xlim(-0.02, 1.02)
        axes.set_ylim(-0.02, 1.02)
        axes.grid(alpha=0.3)
    return figure, list(panels)


def _reliability(judged: Sequence[Judged]) -> Figure:
    """Fills in bins of equal numbers: how likely they were said to be, and how many are right."""
    figure, panels = _panels(judged)
    for axes, one in zip(panels, judged, strict=True):
        axes.plot((0, 1), (0, 1), color="grey", linewidth=1, linestyle="--", label="as stated")
        for name, chances, mark in (
            ("geometric mean", one.samples.uncalibrated, "s"),
            ("calibrated", one.chances, "o"),
        ):
            parts = [(chances[fills], one.samples.right[fills]) for fills in bins(chances)]
            stated = [float(part.mean()) for part, _ in parts]
            true = [float(right.mean()) for _, right in parts]
            spread = [_wilson(int(right.sum()), len(right)) for _, right in parts]
            below = [max(share - low, 0.0) for share, (low, _) in zip(true, spread, strict=True)]
            above = [max(high - share, 0.0) for share, (_, high) in zip(true, spread, strict=True)]
            axes.errorbar(
                stated, true, yerr=(below, above), marker=mark, markersize=5, capsize=2, label=name
            )
        axes.set_xlabel("stated chance")
        axes.legend(fontsize=8)
    panels[0].set_ylabel("share exactly right")
    return figure


def _precision(judged: Sequence[Judged]) -> Figure:
    """What each threshold shows, and how many of the shown are right."""
    figure, panels = _panels(judged)
    for axes, one in zip(panels, judged, strict=True):
        found = curve(one.chances, one.samples.right)
        thresholds = [shown.threshold for shown in found]
        axes.step(thresholds, [shown.share for shown in found], where="pre", label="shown")
        axes.step(
            thresholds, [shown.precision for shown in found], where="pre", label="of these, right"
        )
        axes.step(thresholds, [shown.kept for shown in found], where="pre", label="right ones kept")
        axes.set_xlabel("shown from this chance on")
        axes.legend(fontsize=8)
    panels[0].set_ylabel("share of fills")
    return figure


def _wilson(right: int, count: int) -> tuple[float, float]:
    """The 95 % interval of a share. Source: Wilson, 1927."""
    z = 1.96
    share = right / count
    middle = (share + z**2 / 2 / count) / (1 + z**2 / count)
    half = z / (1 + z**2 / count) * np.sqrt(share * (1 - share) / count + z**2 / 4 / count**2)
    return float(middle - half), float(middle + half)
