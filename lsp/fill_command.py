"""``midfill fill``: fill one hole of a real file."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from functools import partial
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
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from midfill.inference.wire import Draft, Final, InfillRequest

    Filler = Callable[[InfillRequest], Iterator[Draft | Final]]


def fill(
    where: Annotated[
        str,
        typer.Argument(
            metavar="FILE:LINE:COL",
            help="The hole: line and column from 1, the column counts characters. With --all-holes "
            "just FILE.",
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
    all_holes: Annotated[
        bool,
        typer.Option(
            "--all-holes",
            help="Fill every placeholder (... and pass bodies, TODO lines, ___) and print a diff.",
        ),
    ] = False,
    model: Annotated[str, typer.Option("--model", metavar="M", help="Which model.")] = "embedded",
    device: Annotated[
        str | None,
        typer.Option(
            "--device",
            metavar="D",
            help="A torch device, such as cpu or cuda; big models take a GPU by themselves.",
            show_default=False,
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
    endpoint: Annotated[
        str,
        typer.Option(
            metavar="URL",
            help="Ask this server, which is then sent the text around the hole; its token is found "
            "as for midfill.endpoint.",
            show_default=False,
        ),
    ] = "",
    even_if_excluded: Annotated[
        bool,
        typer.Option(
            "--even-if-excluded",
            help="Fill a file with secrets, or one that .midfillignore or .gitignore names, too.",
        ),
    ] = False,
) -> None:
    """Fill one hole of a file and print the file around it. The file itself is left alone."""
    if all_holes:
        if to is not None or watch or n != 1 or tokens is not None or seed:
            raise UsageError(
                "--all-holes goes with --model, --device, --endpoint, --json and --even-if-excluded"
            )
        events_of = partial(_filler, model, device, endpoint)
        _fill_all_holes(Path(where), events_of, as_json, even_if_excluded)
        return
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
    with _filler(model, device, endpoint) as events:
        final = view.show_progress(events(request), watch=watch and not as_json)
    if as_json:
        print_json(final)
    else:
        view.print_final(final)


def _fill_all_holes(
    path: Path,
    events_of: Callable[[], AbstractContextManager[Filler]],
    as_json: bool,
    even_if_excluded: bool,
) -> None:
    if not even_if_excluded:
        _need_allowed(path)
    text = read_source(path)
    from midfill.inference.text.placeholders import placeholders_in
    from midfill.inference.wire import Final
    from midfill.lsp.all_holes_view import print_diff, print_replacements
    from midfill.lsp.filling_holes import HolesToFill

    holes = placeholders_in(text)
    if not holes and not as_json:
        raise UsageError(f"{path} has no placeholder: no ... or pass body, no TODO line, no ___")
    filling = HolesToFill(text, holes)
    with events_of() as events:
        for number in range(1, len(holes) + 1):
            print(f"hole {number} of {len(holes)}", file=sys.stderr, flush=True)
            for event in events(filling.request()):
                if isinstance(event, Final):
                    filling.put(event)
    if as_json:
        print_replacements(filling)
    else:
        print_diff(path, text, filling)


def _need_allowed(path: Path) -> None:
    reason = ExclusionPolicy().reason_against(str(Path.cwd() / path))
    if reason:
        raise ExcludedFile(
            f"{path} is excluded ({reason}) and was not read; --even-if-excluded fills it anyway"
        )


@contextmanager
def _filler(model: str, device: str | None, endpoint: str) -> Iterator[Filler]:
    """A server elsewhere, a running engine of the same model, or one that ends with us."""
    from midfill.inference.transport import engine_address
    from midfill.lsp.running_engine import infill_sync, running_engine

    if endpoint:
        from midfill.inference.endpoint import parse_endpoint
        from midfill.lsp.endpoint_token import authorized

        elsewhere = authorized(parse_endpoint(endpoint))
        yield lambda request: infill_sync(elsewhere, request)
        return
    if device is None and running_engine(model) is not None:
        address = engine_address(model)
        yield lambda request: infill_sync(address, request)
        return
    from midfill.inference.engine import Engine
    from midfill.lsp.progress_view import progress_view

    engine = Engine(model, device)
    with progress_view() as listener:
        engine.load(listener)
    yield engine.infill
