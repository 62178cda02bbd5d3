"""``midfill train``: adapt the embedded model."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from midfill.inference.training.run import Outcome


On = Annotated[
    Path | None,
    typer.Option(
        "--on",
        metavar="FOLDER",
        help="Adapt to the code of this folder, starting from the adapter in use.",
        show_default=False,
    ),
]
CorpusFolder = Annotated[
    Path | None,
    typer.Option(
        metavar="FOLDER",
        help="What `midfill corpus build` made; the cache folder's corpus unless given.",
        show_default=False,
    ),
]
RecipeFile = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="A TOML file that says how; the package's own unless given.",
        show_default=False,
    ),
]
Out = Annotated[
    Path | None,
    typer.Option(
        metavar="FOLDER",
        help="Where the run keeps its checkpoint, its learning curve and the adapter. "
        "A run that is there already goes on.",
        show_default=False,
    ),
]
Targets = Annotated[
    int | None,
    typer.Option(min=1, metavar="N", help="Mask slots to train, instead of the recipe's number."),
]
Device = Annotated[
    str | None, typer.Option("--device", metavar="D", help="A torch device.", show_default=False)
]


def train(
    on: On = None,
    corpus: CorpusFolder = None,
    recipe: RecipeFile = None,
    out: Out = None,
    targets: Targets = None,
    device: Device = None,
) -> None:
    """Adapt the embedded model: teach it to guess several tokens ahead.

    What it writes never changes, only how many steps it takes. Stop it whenever you like; the same
    command goes on from the last checkpoint.
    """
    from midfill.inference.training.session import Choices, train_on_corpus, train_on_repository
    from midfill.lsp.progress_view import progress_view

    choices = Choices(recipe, out, targets, device)
    try:
        with progress_view() as listener:
            if on is not None:
                folder, outcome = train_on_repository(on, choices, listener)
            else:
                folder, outcome = train_on_corpus(corpus, choices, listener)
    except KeyboardInterrupt:
        print("midfill: stopped; the same command goes on from here", file=sys.stderr)
        raise SystemExit(130) from None
    _print(folder, outcome)


def _print(folder: Path, outcome: Outcome) -> None:
    before, after = outcome.before, outcome.after
    print(f"trained {outcome.targets:,} targets; on files that were held out:")
    for name, first, last in (
        ("tokens a step", before.tokens_per_step[-1], after.tokens_per_step[-1]),
        ("first guess right", before.right[0], after.right[0]),
    ):
        print(f"  {name:<18} {first:.3f} before, {last:.3f} after")
    print(f"adapter: {folder / 'adapter.safetensors'}")
    print(f"use it: MIDFILL_ADAPTER={folder / 'adapter.safetensors'} midfill …", file=sys.stderr)
