"""A replay's report as people read it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from midfill.inference.measuring.replay.growth_verdicts import WANTED

if TYPE_CHECKING:
    from collections.abc import Iterator

    from midfill.inference.measuring.replay.growth_verdicts import GrowthVerdict
    from midfill.inference.measuring.replay.report import ReplayReport
    from midfill.inference.measuring.replay.statistics import Distribution, Speedup

SPREAD = "median (5 %–95 %)"
BUSY = 0.3
"""Cores; with more than that taken by others, figures mean little."""


def tables(report: ReplayReport) -> Iterator[Table]:
    """Times, stages, comparisons if there are others, and growth if it was measured."""
    yield _times(report)
    yield _stages(report)
    if report.comparisons:
        yield _comparisons(report)
    if report.growth:
        yield _growth(report)


def notes(report: ReplayReport) -> Iterator[str]:
    """What has to be known to read them."""
    yield str(report.machine)
    typing = report.typing
    yield (
        f"{len(report.lines)} lines typed {typing.rounds} times, a suggestion every "
        f"{typing.every} characters, seed {report.seed}: {', '.join(report.lines)}"
    )
    for writer in report.writers:
        if writer.failure:
            yield f"{writer.name} was left out: {writer.failure}"
        elif writer.about:
            yield f"{writer.name}: {writer.about}"
    if (best := report.vs_llamacpp) is not None:
        yield (
            f"{report.model} against {best.other}, where both wrote the same text "
            f"({best.n} suggestions): {best.ours_ms:.0f} ms and {best.theirs_ms:.0f} ms, "
            f"{_times_as_long(best.speedup, best.low, best.high)}"
        )
    yield from map(_grows, report.growth_verdicts)
    if report.server_failure:
        yield report.server_failure
    if report.others_busy > BUSY:
        yield (
            f"other programs kept {report.others_busy:.1f} cores busy meanwhile: "
            "these figures are not to be relied on"
        )
    if report.interrupted:
        yield "the run was broken off; these are the figures until then"


def _times(report: ReplayReport) -> Table:
    table = _table(
        f"{report.model}: time to suggestion and what was written, {SPREAD}",
        ("", "requests", "n"),
        ("ms", "mean ms", "steps", "tokens", "tokens a step", "tokens read"),
    )
    for writer in report.writers:
        for kind, figures in writer.kinds.items():
            table.add_row(
                Text(writer.name),
                kind,
                str(figures.ms.n),
                spread(figures.ms),
                figure(figures.ms.mean),
                spread(figures.steps),
                spread(figures.tokens),
                spread(figures.tokens_per_step),
                spread(figures.read),
            )
    return table


def _stages(report: ReplayReport) -> Table:
    table = _table(f"ms of each stage, {SPREAD}", ("", "requests", "stage", "n"), ("ms",))
    for writer in report.writers:
        for kind, figures in writer.kinds.items():
            for stage, found in figures.stages.items():
                table.add_row(Text(writer.name), kind, stage, str(found.n), spread(found))
    return table


def _comparisons(report: ReplayReport) -> Table:
    table = _table(
        "time of the others / time of midfill, request by request (95 % interval; n)",
        ("",),
        ("all", "same text", "cold", "warm", "last one held"),
    )
    for one in report.comparisons:
        cells = (one.all, one.same_text, one.cold, one.warm, one.held)
        table.add_row(Text(one.other), *map(ratio, cells))
    return table


def _growth(report: ReplayReport) -> Table:
    table = _table(f"growth, {SPREAD}", ("what grows", "size", "n"), ("ms", "tokens"))
    for point in report.growth:
        row = (str(point.size), str(point.ms.n), spread(point.ms), spread(point.tokens))
        table.add_row(point.series, *row)
    return table


def _table(title: str, names: tuple[str, ...], figures: tuple[str, ...]) -> Table:
    table = Table(title=title, title_justify="left")
    for name in names:
        table.add_column(name, overflow="fold")
    for name in figures:
        table.add_column(name, justify="right", no_wrap=True)
    return table


def spread(found: Distribution | None) -> str:
    """A median between its percentiles; a dash if nothing was measured."""
    if found is None:
        return "–"
    return f"{figure(found.median)} ({figure(found.p5)}–{figure(found.p95)})"


def ratio(found: Speedup | None) -> str:
    """A ratio, its interval, and of how many pairs it is."""
    if found is None:
        return "–"
    interval = (
        "" if found.low is None or found.high is None else (f"{found.low:.2f}–{found.high:.2f}; ")
    )
    return f"{found.speedup:.2f}× ({interval}{found.n})"


def figure(value: float) -> str:
    """Three digits that mean something."""
    if value >= 100 or value == int(value):
        return f"{value:.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def _grows(verdict: GrowthVerdict) -> str:
    times = verdict.times
    what = verdict.series.partition(",")[0]
    return (
        f"{verdict.small} → {verdict.large} {what}: a warm suggestion takes "
        f"{times.ours_ms:.0f} → {times.theirs_ms:.0f} ms, "
        f"{_times_as_long(times.speedup, times.low, times.high)}: "
        f"{'within' if verdict.met else 'MORE THAN'} the {WANTED:g}× that it may be"
    )


def _times_as_long(value: float, low: float | None, high: float | None) -> str:
    interval = "" if low is None or high is None else f" (95 % interval {low:.2f}–{high:.2f})"
    return f"{value:.2f}× as long{interval}"
