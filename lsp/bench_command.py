"""``midfill bench``: how fast a model is on this machine, and next to others."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from midfill.inference.measuring.report import Report

WIDTH = 160
"""Of tables where there is no terminal."""


def bench(
    model: Annotated[str, typer.Option("--model", metavar="M", help="Which model.")] = "embedded",
    device: Annotated[
        str | None,
        typer.Option(
            "--device", metavar="D", help="A torch device, such as cpu or cuda.", show_default=False
        ),
    ] = None,
    against: Annotated[
        str | None,
        typer.Option(
            "--against",
            metavar="A",
            help="An autoregressive model to compare with: a hub id or a folder.",
            show_default=False,
        ),
    ] = None,
    repeat: Annotated[
        int, typer.Option("--repeat", metavar="N", min=1, max=1000, help="Fills of each hole.")
    ] = 3,
    compiled: Annotated[
        bool,
        typer.Option("--compile", help="Compile the layers of a big model by torch.compile first."),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Measure time to suggestion, steps and memory, in holes of Python's own source files.

    Nothing is read but these files and the models. Let nothing else run meanwhile.
    """
    from midfill.inference.measuring.bench import bench as measure
    from midfill.lsp.progress_view import progress_view

    with progress_view() as listener:
        report = measure(
            model, device, against, repeat=repeat, compiled=compiled, listener=listener
        )
    if as_json:
        print(json.dumps(report.as_json()))
    else:
        _print(report)


def _print(report: Report) -> None:
    from rich.console import Console

    from midfill.inference.measuring.table import notes, tables

    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=WIDTH)
    for table in tables(report):
        console.print(table)
    for note in notes(report):
        console.print(note, markup=False)
