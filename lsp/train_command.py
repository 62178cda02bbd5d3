"""``midfill train``: adapt the embedded model."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from midfill.inference.training.run import Outcome

LINE_EVERY = 15.0
"""Seconds between two lines of progress, off a terminal."""

On = Annotated[
    Path | None,
    typer.Option(
        "--on",
        metavar="FOLDER",
        help="Adapt to the source files of this folder, on from the adapter in use; "
        "takes minutes rather than hours.",
        show_default=False,
    ),
]
CorpusFolder = Annotated[
    Path | None,
    typer.Option(
        "--corpus",
        metavar="FOLDER",
        help="Train on this, which `midfill corpus build` made; "
        "the cache folder's corpus unless given.",
        show_default=False,
    ),
]
RecipeFile = Annotated[
    Path | None,
    typer.Option(
        "--recipe",
        metavar="FILE",
        help="A TOML file that says how; one of the package's own unless given.",
        show_default=False,
    ),
]
Out = Annotated[
    Path | None,
    typer.Option(
        "--out",
        metavar="FOLDER",
        help="Where the run keeps its checkpoint, its learning curve and the adapter; "
        "a place in the cache folder unless given.",
        show_default=False,
    ),
]
Targets = Annotated[
    int | None,
    typer.Option(
        "--targets",
        min=1,
        metavar="N",
        help="Mask slots to train in all, instead of the recipe's number; "
        "a run that is complete goes on if there are more.",
        show_default=False,
    ),
]
Device = Annotated[
    str | None,
    typer.Option(
        "--device",
        metavar="D",
        help="A torch device, such as cpu or cuda; cpu unless given.",
        show_default=False,
    ),
]
Restart = Annotated[
    bool, typer.Option("--restart", help="Forget the run that is in the folder, and start again.")
]


def train(
    on: On = None,
    corpus: CorpusFolder = None,
    recipe: RecipeFile = None,
    out: Out = None,
    targets: Targets = None,
    device: Device = None,
    restart: Restart = False,
) -> None:
    """Adapt the embedded model: teach it to guess several tokens ahead.

    What it writes never changes, only how many steps it takes. Interrupt it whenever you like: the
    same command goes on from the last checkpoint.
    """
    from midfill.inference.errors import UsageError
    from midfill.inference.training.session import Choices, train_on_corpus, train_on_repository
    from midfill.lsp.progress_view import progress_view

    if on is not None and corpus is not None:
        raise UsageError("--on and --corpus exclude each other: name one of them")
    choices = Choices(recipe, out, targets, device, restart)
    folder = choices.folder(on)
    try:
        with progress_view(LINE_EVERY) as listener:
            if on is not None:
                outcome = train_on_repository(on, choices, listener)
            else:
                outcome = train_on_corpus(corpus, choices, listener)
    except KeyboardInterrupt:
        print(f"midfill: {_interrupted(folder, restart)}", file=sys.stderr)
        raise typer.Exit(130) from None
    for line in _report(outcome, folder):
        print(line)


def _interrupted(folder: Path, restart: bool) -> str:
    from midfill.inference.training.checkpoint import NAME

    if not (folder / NAME).exists():
        return "interrupted before the first checkpoint; the same command starts again"
    again = "the same command without --restart" if restart else "the same command"
    return f"interrupted; {again} goes on from the checkpoint in {folder}"


def _report(outcome: Outcome, folder: Path) -> Iterator[str]:
    if outcome.now:
        yield f"trained {outcome.targets:,} targets; on files that were held out:"
    else:
        yield (
            f"the run in {folder} is complete with {outcome.targets:,} targets "
            "(--targets N makes it longer, --restart starts again); on files that were held out:"
        )
    before, after = outcome.before, outcome.after
    yield (
        f"  tokens a step      {before.tokens_per_step[-1]:.3f} before, "
        f"{after.tokens_per_step[-1]:.3f} after "
        f"({after.tokens_per_step[-1] / before.tokens_per_step[-1] - 1:+.1%})"
    )
    yield f"  first guess right  {before.right[0]:.1%} before, {after.right[0]:.1%} after"
    if after.tokens_per_step[-1] <= before.tokens_per_step[-1]:
        yield "nothing was gained: the adapter in use is as good"
    adapter = folder.absolute() / "adapter.safetensors"
    yield f"adapter: {adapter}"
    yield f"use it:  MIDFILL_ADAPTER={shlex.quote(str(adapter))} midfill …"
