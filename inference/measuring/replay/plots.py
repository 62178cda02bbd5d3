"""The pictures of the HTML report, each an SVG of its own."""

from __future__ import annotations

import io
from collections import defaultdict
from functools import partial
from typing import TYPE_CHECKING

from midfill.inference.errors import MidfillError
from midfill.inference.measuring.replay.replaying import Moment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from matplotlib.axes import Axes

    from midfill.inference.measuring.replay.report import ReplayReport, Sample

COLOURS = ("#2b6cb0", "#c05621", "#2f855a", "#6b46c1", "#b83280", "#4a5568", "#975a16", "#0987a0")


def need_matplotlib() -> None:
    """Raises: MidfillError: it is not installed."""
    try:
        import matplotlib.figure  # noqa: F401
    except ImportError:
        raise MidfillError(
            "--html needs matplotlib for its plots: run `pip install 'midfill[bench]'`"
        ) from None


def pictures(report: ReplayReport) -> Iterator[tuple[str, str]]:
    """A title and an SVG for everything that there are figures of.

    Raises:
        MidfillError: matplotlib is not installed.
    """
    need_matplotlib()
    if not report.samples:
        return
    drawn: list[tuple[str, Callable[[Axes], None]]] = [
        ("Latency: share of suggestions that took no longer", partial(_latency, report=report)),
        ("Latency against file size", partial(_file_size, report=report)),
        ("Steps of a suggestion", partial(_steps, report=report)),
        ("Tokens accepted a step", partial(_tokens_per_step, report=report)),
        ("Time by stage, median with 5 %–95 %", partial(_stages, report=report)),
    ]
    for title, draw in drawn:
        yield title, _svg(draw)
    for series in dict.fromkeys(point.series for point in report.growth):
        yield f"Growth: {series}", _svg(partial(_growth, report=report, series=series))


def _svg(draw: Callable[[Axes], None]) -> str:
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    picture = Figure(figsize=(7, 3.8), layout="constrained")
    axes = picture.subplots()
    axes.spines[["top", "right"]].set_visible(False)
    draw(axes)
    written = io.StringIO()
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "midfill"}):
        picture.savefig(written, format="svg", metadata={"Date": None, "Creator": None})
    return written.getvalue()


def _latency(axes: Axes, report: ReplayReport) -> None:
    for colour, (name, samples) in _by_writer(report):
        for moment, style in ((Moment.WARM, "-"), (Moment.COLD, ":")):
            times = sorted(one.ms for one in samples if one.kind == moment)
            if times:
                shares = [(number + 1) / len(times) for number in range(len(times))]
                axes.step(times, shares, style, color=colour, label=f"{name}, {moment}")
    axes.set_xscale("log")
    axes.set_xlabel("ms")
    axes.set_ylim(0, 1.02)
    axes.legend(fontsize=7)


def _file_size(axes: Axes, report: ReplayReport) -> None:
    for colour, (name, samples) in _by_writer(report):
        for moment, marker in ((Moment.WARM, "o"), (Moment.COLD, "x")):
            part = [one for one in samples if one.kind == moment]
            if part:
                sizes, times = [one.file_lines for one in part], [one.ms for one in part]
                label = f"{name}, {moment}"
                axes.scatter(sizes, times, s=14, marker=marker, color=colour, label=label)
    axes.set_xlabel("lines of the file")
    axes.set_ylabel("ms")
    axes.set_yscale("log")
    axes.legend(fontsize=7)


def _steps(axes: Axes, report: ReplayReport) -> None:
    counts = [
        (colour, name, [one.steps for one in samples if one.steps is not None])
        for colour, (name, samples) in _by_writer(report)
    ]
    _histogram(axes, [(colour, name, values) for colour, name, values in counts if values])
    axes.set_xlabel("forward passes")
    axes.set_ylabel("share of suggestions")


def _tokens_per_step(axes: Axes, report: ReplayReport) -> None:
    found = [
        (colour, name, accepted)
        for colour, (name, samples) in _by_writer(report)
        if (accepted := [tokens for one in samples for tokens in accepted_tokens(one)])
    ]
    _histogram(axes, found)
    axes.set_xlabel("tokens that a step made certain")
    axes.set_ylabel("share of steps")


def accepted_tokens(sample: Sample) -> tuple[int, ...]:
    """Tokens of each step, where they are told or the writer takes a step for each."""
    if sample.step_tokens or sample.steps is None or sample.steps != sample.tokens:
        return sample.step_tokens
    return (1,) * sample.steps


def _histogram(axes: Axes, found: list[tuple[str, str, list[int]]]) -> None:
    """Shares of whole numbers, the writers side by side."""
    width = 0.8 / max(1, len(found))
    for place, (colour, name, values) in enumerate(found):
        numbers = sorted(set(values))
        shares = [values.count(number) / len(values) for number in numbers]
        offset = (place - (len(found) - 1) / 2) * width
        middles = [number + offset for number in numbers]
        axes.bar(middles, shares, width=width, color=colour, label=name)
    if found:
        axes.legend(fontsize=7)


def _stages(axes: Axes, report: ReplayReport) -> None:
    bars = [
        (f"{writer.name}, {kind}", figures.stages)
        for writer in report.writers
        for kind, figures in writer.kinds.items()
        if figures.stages
    ]
    stages = list(dict.fromkeys(stage for _, found in bars for stage in found))
    for number, stage in enumerate(stages):
        medians, starts, below, above = [], [], [], []
        for _, found in bars:
            known = [found[other].median for other in stages[:number] if other in found]
            one = found.get(stage)
            starts.append(sum(known))
            medians.append(one.median if one else 0.0)
            below.append(one.median - one.p5 if one else 0.0)
            above.append(one.p95 - one.median if one else 0.0)
        axes.barh(
            [name for name, _ in bars],
            medians,
            left=starts,
            color=COLOURS[number % len(COLOURS)],
            label=stage,
            xerr=(below, above),
            error_kw={"elinewidth": 0.8, "alpha": 0.6},
        )
    axes.invert_yaxis()
    axes.tick_params(axis="y", labelsize=7)
    axes.set_xlabel("ms")
    if stages:
        axes.legend(fontsize=7)


def _growth(axes: Axes, report: ReplayReport, series: str) -> None:
    points = [point for point in report.growth if point.series == series]
    sizes = [point.size for point in points]
    medians = [point.ms.median for point in points]
    below = [point.ms.median - point.ms.p5 for point in points]
    above = [point.ms.p95 - point.ms.median for point in points]
    axes.errorbar(sizes, medians, yerr=(below, above), marker="o", capsize=3, color=COLOURS[0])
    axes.set_xscale("log")
    axes.set_ylim(bottom=0)
    axes.set_xlabel(series.partition(",")[0])
    axes.set_ylabel("ms, median with 5 %–95 %")


def _by_writer(report: ReplayReport) -> Iterator[tuple[str, tuple[str, list[Sample]]]]:
    """A colour, and a writer's name and samples."""
    found: dict[str, list[Sample]] = defaultdict(list)
    for sample in report.samples:
        found[sample.writer].append(sample)
    for number, item in enumerate(found.items()):
        yield COLOURS[number % len(COLOURS)], item
