"""A report as people read it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from midfill.inference.measuring.figures import Spread
    from midfill.inference.measuring.report import ContenderFigures, KindFigures, Report

SPREAD = "p50 / p95 (least–most)"


def tables(report: Report) -> Iterator[Table]:
    """Times to suggestion, steps, what was loaded, ratios if there are others, and canvases."""
    yield _times(report)
    yield _steps(report)
    yield _loading(report)
    if report.ratios:
        yield _ratios(report)
    yield _canvases(report)


def notes(report: Report) -> Iterator[str]:
    """What has to be known to read them."""
    yield str(report.machine)
    for kind, names in report.holes.items():
        yield f"{kind} holes: {', '.join(names)}, each {report.repeat} times"
    for contender in report.contenders:
        if contender.failure:
            yield f"{contender.name} was left out: {contender.failure}"
        elif contender.about:
            yield f"{contender.name}: {contender.about}"
    for figures in report.canvases:
        if figures.skipped:
            canvas = "canvas lengths" if figures.canvas is None else f"canvas {figures.canvas}"
            yield f"{canvas} skipped: {figures.skipped}"


def _times(report: Report) -> Table:
    table = _table(
        f"{report.model}: time to suggestion, {SPREAD}",
        ("holes", "", "n"),
        ("cold ms", "warm ms", "tokens/s cold", "tokens/s warm"),
    )
    for kind, name, figures in _rows(report):
        n = str(figures.cold_ms.n if figures.cold_ms else 0)
        table.add_row(
            kind,
            name,
            n,
            _spread(figures.cold_ms),
            _spread(figures.warm_ms),
            _spread(figures.tokens_per_second),
            _spread(figures.tokens_per_second_warm),
        )
    return table


def _steps(report: Report) -> Table:
    table = _table(
        f"steps, {SPREAD}",
        ("holes", "", "n"),
        ("step ms", "steps", "tokens", "tokens a step"),
    )
    for kind, name, figures in _rows(report):
        n = str(figures.step_ms.n if figures.step_ms else 0)
        table.add_row(
            kind,
            name,
            n,
            _spread(figures.step_ms),
            _spread(figures.steps),
            _spread(figures.tokens),
            _spread(figures.tokens_per_step),
        )
    return table


def _loading(report: Report) -> Table:
    table = _table(
        f"loading and memory ({report.memory})",
        ("",),
        ("load s", "MB when loaded", "MB more at the peak"),
    )
    for contender in report.contenders:
        table.add_row(contender.name, *_loaded(contender))
    return table


def _loaded(contender: ContenderFigures) -> tuple[str, str, str]:
    seconds, size = contender.load_s, contender.loaded_bytes
    return (
        "–" if seconds is None else f"{seconds:.1f}",
        "–" if size is None else f"{size / 1e6:.0f}",
        f"{contender.peak_bytes / 1e6:.0f}",
    )


def _ratios(report: Report) -> Table:
    table = _table(
        f"time of the others / time of midfill, hole by hole, {SPREAD}",
        ("holes", "", "n"),
        ("cold", "warm"),
    )
    for ratio in report.ratios:
        n = str(ratio.cold.n if ratio.cold else 0)
        table.add_row(ratio.kind, ratio.other, n, _spread(ratio.cold), _spread(ratio.warm))
    return table


def _canvases(report: Report) -> Table:
    table = _table(
        f"canvas lengths, block holes, {SPREAD}",
        ("canvas", "filled", "n"),
        ("step ms", "fill ms", "steps", "tokens", "tokens a step", "tokens/s"),
    )
    for figures in report.canvases:
        if figures.skipped:
            continue
        table.add_row(
            str(figures.canvas),
            "all of it" if figures.whole else "as needed",
            str(figures.fill_ms.n if figures.fill_ms else 0),
            _spread(figures.step_ms),
            _spread(figures.fill_ms),
            _spread(figures.steps),
            _spread(figures.tokens),
            _spread(figures.tokens_per_step),
            _spread(figures.tokens_per_second),
        )
    return table


def _rows(report: Report) -> Iterator[tuple[str, str, KindFigures]]:
    for kind in report.holes:
        for contender in report.contenders:
            yield kind, contender.name, contender.kinds[kind]


def _table(title: str, names: tuple[str, ...], figures: tuple[str, ...]) -> Table:
    table = Table(title=title, title_justify="left")
    for name in names:
        table.add_column(name, no_wrap=name != "", overflow="fold")
    for name in figures:
        table.add_column(name, justify="right")
    return table


def _spread(spread: Spread | None) -> str:
    if spread is None:
        return "–"
    return (
        f"{_figure(spread.p50)} / {_figure(spread.p95)} "
        f"({_figure(spread.least)}–{_figure(spread.most)})"
    )


def _figure(value: float) -> str:
    """Three digits that mean something."""
    if value >= 100 or value == int(value):
        return f"{value:.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"
