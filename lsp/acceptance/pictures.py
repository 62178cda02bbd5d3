"""Figures about suggestions as a picture."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from midfill.inference.errors import MidfillError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

    from midfill.lsp.acceptance.figures import Figures, Group

FORMATS = (".png", ".svg")

MOST_LANGUAGES = 12


def check_name(file: Path) -> None:
    """Make sure that a picture can have this name.

    Raises:
        UsageError: it ends in something else than ``.png`` or ``.svg``.
    """
    if file.suffix.lower() not in FORMATS:
        raise UsageError(f"--plot wants a file that ends in .png or .svg, not {file.name!r}")


def draw(figures: Figures, file: Path) -> None:
    """Draw acceptance by language, hour and confidence, and latency by stage, into a file.

    The file is written whole or not at all.

    Raises:
        UsageError: as `check_name`.
        MidfillError: matplotlib is not installed, or the file cannot be written.
    """
    check_name(file)
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MidfillError(
            "--plot needs matplotlib, which is not installed: pip install 'midfill[train]'"
        ) from error
    picture = Figure(figsize=(11, 8), layout="constrained")
    panels = picture.subplots(2, 2)
    _acceptance(panels[0][0], "by language", figures.languages[:MOST_LANGUAGES])
    _acceptance(panels[0][1], "by hour of the day", figures.hours)
    _acceptance(panels[1][0], "by confidence", figures.confidences)
    _latency(panels[1][1], figures)
    try:
        descriptor, name = tempfile.mkstemp(file.suffix.lower(), ".plot-", file.parent)
        os.close(descriptor)
        try:
            picture.savefig(name, dpi=150)
            Path(name).replace(file)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise MidfillError(f"{file} cannot be written: {error.strerror or error}") from error


def _acceptance(axes: Axes, by: str, groups: Sequence[Group]) -> None:
    """Bars with their 95 % intervals, and below each how many suggestions it stands for."""
    axes.set_title(f"acceptance {by}")
    shown = [(group, group.acceptance) for group in groups if group.shown]
    values = [rate.value or 0.0 for _, rate in shown]
    low = [max((rate.value or 0.0) - (rate.low or 0.0), 0.0) for _, rate in shown]
    high = [max((rate.high or 0.0) - (rate.value or 0.0), 0.0) for _, rate in shown]
    axes.bar(range(len(shown)), values, yerr=(low, high), capsize=3, color="#4c78a8")
    names = [f"{group.name}\n{group.shown}" for group, _ in shown]
    axes.set_xticks(range(len(shown)), names, fontsize=8 if len(shown) <= 6 else 6)
    axes.set_ylim(0, 1)
    axes.set_ylabel("share accepted")


def _latency(axes: Axes, figures: Figures) -> None:
    axes.set_title("latency by stage")
    found = [*figures.latencies.items()] + ([("memory", figures.memory)] if figures.memory else [])
    for offset, name in ((-0.2, "p50"), (0.2, "p95")):
        places = [place + offset for place in range(len(found))]
        axes.bar(places, [getattr(stage, name) for _, stage in found], width=0.4, label=name)
    axes.set_xticks(range(len(found)), [name for name, _ in found], fontsize=8)
    axes.set_ylabel("milliseconds")
    if found:
        axes.legend(fontsize=8)
