"""A report as people read it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.table import Table

from midfill.inference.evaluation.report import SCORES, TITLES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


def tables(report: Mapping[str, Any]) -> Iterator[Table]:
    """The arms, how each differs from ours, and the kinds of holes if there are several."""
    scores = [score for score in SCORES if score in next(iter(report["arms"].values()))]
    yield _arms(report, scores)
    if report["differences"]:
        yield _differences(report, scores)
    if len(report["by_kind"]) > 1:
        yield _kinds(report, scores)


def _arms(report: Mapping[str, Any], scores: list[str]) -> Table:
    run = report["run"]
    table = _table(
        f"{run['suite']}: {report['rows']} holes of {report['tasks']} tasks, {run['model']}",
        *("arm", *(f"{TITLES[score]} %" for score in scores)),
        *("steps p50 (p95)", "tokens a step (p5–p95)", "ms p50", "ms p95", "guesses that held"),
    )
    for name, arm in report["arms"].items():
        table.add_row(
            name,
            *(_interval(arm[score]["rows"]) for score in scores),
            f"{arm['steps_per_fill']['p50']:.0f} ({arm['steps_per_fill']['p95']:.0f})",
            _tokens_per_step(arm),
            f"{arm['ms']['p50']:.0f}",
            f"{arm['ms']['p95']:.0f}",
            " ".join(f"{part:.2f}" for part in arm["acceptance_by_distance"]),
        )
    return table


def _differences(report: Mapping[str, Any], scores: list[str]) -> Table:
    table = _table(
        "paired differences, in points", *("difference", *(TITLES[score] for score in scores))
    )
    for name, figures in report["differences"].items():
        table.add_row(name, *(_interval(figures[score]["rows"], sign="+") for score in scores))
    return table


def _kinds(report: Mapping[str, Any], scores: list[str]) -> Table:
    table = _table(
        "by kind of hole",
        *("hole", "arm", "holes", *(f"{TITLES[score]} %" for score in scores), "tokens a step"),
    )
    for kind, arms in report["by_kind"].items():
        for name, figures in arms.items():
            table.add_row(
                kind,
                name,
                str(figures["rows"]),
                *(f"{100 * figures[score]:.1f}" for score in scores),
                f"{figures['tokens_per_step']:.2f}",
            )
    return table


def _table(title: str, first: str, *others: str) -> Table:
    table = Table(title=title, title_justify="left")
    table.add_column(first, no_wrap=True)
    for other in others:
        table.add_column(other, justify="right")
    return table


def _tokens_per_step(arm: Mapping[str, Any]) -> str:
    spread = arm["tokens_per_step_of_a_fill"]
    return f"{arm['tokens_per_step']:.2f} ({spread['p5']:.2f}–{spread['p95']:.2f})"


def _interval(estimate: Mapping[str, float], sign: str = "") -> str:
    value, low, high = (
        format(100 * estimate[name], f"{sign}.1f") for name in ("value", "low", "high")
    )
    return f"{value} [{low}, {high}]"
