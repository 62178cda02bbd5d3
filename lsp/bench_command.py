"""``midfill bench``: how fast a model is on this machine, and next to others."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from midfill.inference.errors import ExcludedFile, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rich.table import Table

    from midfill.inference.measuring.replay.bench import Plan
    from midfill.inference.measuring.replay.sources import SourceFile

WIDTH = 160
"""Of tables where there is no terminal."""

EMBEDDED = "embedded"


def bench(
    model: Annotated[str, typer.Option("--model", metavar="M", help="Which model.")] = EMBEDDED,
    device: Annotated[
        str | None,
        typer.Option(
            "--device", metavar="D", help="A torch device, such as cpu or cuda.", show_default=False
        ),
    ] = None,
    against: Annotated[
        list[str] | None,
        typer.Option(
            "--against",
            metavar="A",
            help="What to compare with: llama.cpp (the same weights), FILE.gguf, or URL#MODEL; "
            "an autoregressive model by hub id or folder. Can be given again.",
            show_default=False,
        ),
    ] = None,
    without: Annotated[
        list[str] | None,
        typer.Option(
            "--without",
            metavar="NAME",
            help="Run our engine with one optimisation off as well: native, guesses, belief, "
            "lookup or prefix-cache. Can be given again.",
            show_default=False,
        ),
    ] = None,
    quantisations: Annotated[
        str,
        typer.Option(
            "--quantisations",
            metavar="Q,Q",
            help="What llama.cpp runs the same weights in: Q4_K_M as published, Q4_0, Q8_0.",
        ),
    ] = "Q4_K_M",
    files: Annotated[
        list[Path] | None,
        typer.Option(
            "--file",
            metavar="FILE",
            help="Type in this file instead of Python's own. Can be given again.",
            show_default=False,
        ),
    ] = None,
    lines: Annotated[
        int, typer.Option("--lines", metavar="N", min=1, max=1000, help="How many are typed.")
    ] = 20,
    every: Annotated[
        int,
        typer.Option("--every", metavar="N", min=1, max=100, help="Characters between requests."),
    ] = 4,
    seed: Annotated[int, typer.Option("--seed", metavar="N", min=0, help="Which lines.")] = 0,
    growth: Annotated[
        bool,
        typer.Option(
            "--growth",
            help="Also measure latency against file size, hole size, open documents; some minutes.",
        ),
    ] = False,
    repeat: Annotated[
        int | None,
        typer.Option(
            "--repeat",
            metavar="N",
            min=1,
            max=1000,
            help="How often each line is typed (once by default), or each hole filled (3 times).",
            show_default=False,
        ),
    ] = None,
    compiled: Annotated[
        bool,
        typer.Option("--compile", help="Compile the layers of a big model by torch.compile first."),
    ] = False,
    html: Annotated[
        Path | None,
        typer.Option(
            "--html", metavar="FILE", help="Write a report with plots.", show_default=False
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Measure how long suggestions take, on this machine, next to others.

    The embedded model is measured while lines of Python's own source files are typed; other models
    fill holes in them. Nothing leaves the machine unless a server is named. Ctrl-C prints what
    there is so far. Let nothing else run meanwhile.
    """
    from midfill.inference.measuring.replay.peers import is_peer

    others = tuple(against or ())
    if model == EMBEDDED and not compiled and (not others or any(map(is_peer, others))):
        from midfill.inference.measuring.replay.bench import Plan
        from midfill.inference.measuring.replay.replaying import Typing
        from midfill.inference.measuring.replay.requantise import parse_quantisations

        plan = Plan(
            device=device,
            against=others,
            without=tuple(without or ()),
            quantisations=parse_quantisations(quantisations),
            files=_sources(files or ()),
            lines=lines,
            typing=Typing(every=every, rounds=repeat or 1),
            seed=seed,
            growth=growth,
        )
        _replay(plan, html, as_json=as_json)
        return
    _need_no_replay(others, {"--without": without, "--file": files, "--html": html}, growth=growth)
    _holes(model, device, others[0] if others else None, repeat or 3, compiled, as_json=as_json)


def _replay(plan: Plan, html: Path | None, *, as_json: bool) -> None:
    from midfill.inference.measuring.replay.bench import bench_replay
    from midfill.inference.measuring.replay.html_report import check_html, write_html
    from midfill.inference.measuring.replay.tables import notes, tables
    from midfill.lsp.progress_view import progress_view

    if html is not None:
        check_html(html)
    with progress_view() as listener:
        report = bench_replay(plan, listener)
    if html is not None:
        write_html(report, html)
    if as_json:
        print(json.dumps(report.as_json()))
    else:
        _print(tables(report), notes(report))


def _holes(
    model: str,
    device: str | None,
    against: str | None,
    repeat: int,
    compiled: bool,
    *,
    as_json: bool,
) -> None:
    from midfill.inference.measuring.bench import bench as measure
    from midfill.inference.measuring.table import notes, tables
    from midfill.lsp.progress_view import progress_view

    with progress_view() as listener:
        report = measure(
            model, device, against, repeat=repeat, compiled=compiled, listener=listener
        )
    if as_json:
        print(json.dumps(report.as_json()))
    else:
        _print(tables(report), notes(report))


def _need_no_replay(against: Sequence[str], options: dict[str, object], *, growth: bool) -> None:
    """Raises: UsageError: something is wanted that only the replay of the embedded model does."""
    given = [name for name, value in options.items() if value] + ["--growth"] * growth
    if given:
        raise UsageError(
            f"{given[0]} belongs to the replay of the embedded model; leave --model, --compile and "
            "hub ids or folders in --against away"
        )
    from midfill.inference.measuring.replay.peers import is_peer

    for name in filter(is_peer, against):
        raise UsageError(f"--against {name} belongs to the replay of the embedded model")
    if len(against) > 1:
        raise UsageError("--against takes one hub id or folder")


def _sources(paths: Iterable[Path]) -> tuple[SourceFile, ...]:
    """The files that the user names, as far as Midfill may read them.

    Raises:
        ExcludedFile: one is never read.
        UnreadableFile: one is no text.
    """
    from midfill.inference.exclusion.policy import ExclusionPolicy
    from midfill.inference.measuring.replay.sources import SourceFile
    from midfill.inference.text.source_file import read_source

    policy, found = ExclusionPolicy(), []
    for path in paths:
        if reason := policy.reason_against(str(Path.cwd() / path)):
            raise ExcludedFile(f"{path} is excluded ({reason}) and was not read")
        found.append(SourceFile(path.name, read_source(path)))
    return tuple(found)


def _print(tables: Iterable[Table], notes: Iterable[str]) -> None:
    from rich.console import Console

    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=WIDTH)
    for table in tables:
        console.print(table)
    for note in notes:
        console.print(note, markup=False)
