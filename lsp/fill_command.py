"""``midfill fill``: fill one hole of a real file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from midfill.inference.errors import ExcludedFile, UsageError
from midfill.inference.exclusion.policy import ExclusionPolicy
from midfill.inference.text.line_breaks import LINE_BREAK
from midfill.inference.text.source_file import (
    offset_of,
    parse_file_and_place,
    parse_place,
    read_source,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from midfill.inference.wire import Draft, Final, InfillRequest


def fill(
    where: Annotated[
        str,
        typer.Argument(
            metavar="FILE:LINE:COL",
            help="The hole: line and column from 1, the column counts characters.",
            show_default=False,
        ),
    ],
    to: Annotated[
        str | None,
        typer.Option(
            "--to",
            metavar="LINE:COL",
            help="Replace everything up to here. Without it, the rest of the line is filled, "
            "and on a blank line one line.",
            show_default=False,
        ),
    ] = None,
    model: Annotated[str, typer.Option("--model", metavar="M", help="Which model.")] = "embedded",
    device: Annotated[
        str | None,
        typer.Option(
            "--device", metavar="D", help="A torch device, such as cpu or cuda.", show_default=False
        ),
    ] = None,
    n: Annotated[
        int, typer.Option("--n", min=1, max=8, help="How many distinct fills to show.")
    ] = 1,
    tokens: Annotated[
        int | None,
        typer.Option(
            "--tokens",
            min=1,
            max=512,
            help="The longest fill; 64 for a line, 256 for several.",
            show_default=False,
        ),
    ] = None,
    seed: Annotated[
        int,
        typer.Option(
            "--seed",
            min=-(2**63),
            max=2**63 - 1,
            show_default=False,
            help="Another one draws other alternatives.",
        ),
    ] = 0,
    watch: Annotated[
        bool, typer.Option("--watch", help="Show the canvas while it is denoised.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    even_if_excluded: Annotated[
        bool,
        typer.Option(
            "--even-if-excluded",
            help="Fill a file with secrets, or one that .midfillignore or .gitignore names, too.",
        ),
    ] = False,
) -> None:
    """Fill one hole of a file and print the file around it. The file itself is left alone."""
    name, place = parse_file_and_place(where)
    path = Path(name)
    if not even_if_excluded:
        _need_allowed(path)
    text = read_source(path)
    start = offset_of(text, place)
    end = offset_of(text, parse_place(to)) if to is not None else start
    if end < start:
        raise UsageError(f"--to {to} stands before {place}")
    from midfill.inference.wire import Extent
    from midfill.lsp.fill_request import infill_request
    from midfill.lsp.fill_view import FillView, print_json

    extent = Extent.LINES if LINE_BREAK.search(text, start, end) else Extent.LINE
    request = infill_request(text, start, end, extent, tokens=tokens, n=n, seed=seed)
    view = FillView(path, text, start, end)
    final = view.show_progress(_events(request, model, device), watch=watch and not as_json)
    if as_json:
        print_json(final)
    else:
        view.print_final(final)


def _need_allowed(path: Path) -> None:
    reason = ExclusionPolicy().reason_against(str(Path.cwd() / path))
    if reason:
        raise ExcludedFile(
            f"{path} is excluded ({reason}) and was not read; --even-if-excluded fills it anyway"
        )


def _events(request: InfillRequest, model: str, device: str | None) -> Iterator[Draft | Final]:
    """From a running engine of the same model, else from one of our own that ends with us."""
    from midfill.inference.transport import engine_address
    from midfill.lsp.running_engine import infill_sync, running_engine

    if device is None and running_engine(model) is not None:
        yield from infill_sync(engine_address(model), request)
        return
    from midfill.inference.engine import Engine
    from midfill.lsp.progress_view import progress_view

    engine = Engine(model, device)
    with progress_view() as listener:
        engine.load(listener)
    yield from engine.infill(request)
