"""``midfill stats``: what became of the suggestions."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import asdict
from pathlib import Path  # noqa: TC003 -- typer reads the annotations
from typing import TYPE_CHECKING, Annotated

import typer

from midfill.inference.errors import UsageError

if TYPE_CHECKING:
    from midfill.lsp.acceptance.figures import Figures

DAY = 86_400

NOTHING_YET = (
    "Nothing has been recorded{when}. Let your editor show some suggestions, take what is good, "
    "and ask again. (midfill.statistics may be off.)"
)


def stats(
    days: Annotated[
        int | None,
        typer.Option(
            "--days",
            metavar="N",
            min=1,
            max=100_000,
            help="Only the last N days; all that is kept unless given.",
            show_default=False,
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    plot: Annotated[
        Path | None,
        typer.Option(
            "--plot",
            metavar="FILE",
            help="Draw acceptance and latency into a .png or .svg file as well.",
            show_default=False,
        ),
    ] = None,
    clear: Annotated[bool, typer.Option("--clear", help="Delete all that was recorded.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Delete without asking.")] = False,
) -> None:
    """Show what became of the suggestions: accepted or not, still there, how fast, and why none.

    It is recorded on this machine alone, without any source text, and never sent anywhere.
    """
    from midfill.lsp.acceptance.database import read_counts, read_outcomes
    from midfill.lsp.acceptance.figures import figures
    from midfill.lsp.acceptance.pictures import check_name, draw
    from midfill.lsp.acceptance.state_folder import history_file

    if clear:
        if as_json or plot or days:
            raise UsageError("--clear deletes everything: it goes with no option but --yes")
        _clear(history_file(), yes=yes)
        return
    if yes:
        raise UsageError("--yes is for --clear")
    if plot:
        check_name(plot)
    file = history_file()
    since = time.time() - DAY * days if days else 0.0
    found = figures(read_outcomes(file, since), read_counts(file, since))
    if plot and not found.empty:
        draw(found, plot)
    if as_json:
        print(json.dumps({"days": days, **asdict(found)}))
    elif found.empty:
        print(NOTHING_YET.format(when=f" in the last {days} days" if days else " yet"))
    else:
        _print(found)
        if plot:
            print(f"the picture is in {plot}", file=sys.stderr)


def _clear(file: Path, *, yes: bool) -> None:
    from midfill.lsp.acceptance.database import clear

    if not yes:
        typer.confirm("Delete all that was recorded about suggestions?", abort=True)
    clear(file)
    print("All that was recorded about suggestions is deleted.")


def _print(found: Figures) -> None:
    from rich.console import Console

    from midfill.lsp.acceptance.tables import tables

    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=120)
    if found.since is not None:
        day = time.strftime("%Y-%m-%d", time.localtime(found.since))
        console.print(f"Since {day}, on this machine.\n")
    for table in tables(found):
        console.print(table)
        console.print()
