"""``midfill train-end``: teach the end head where a middle ends."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

CorpusFolder = Annotated[
    Path | None,
    typer.Option(
        metavar="FOLDER",
        help="What `midfill corpus build` made; the cache folder's corpus unless given.",
        show_default=False,
    ),
]
Out = Annotated[
    Path | None,
    typer.Option(
        metavar="FOLDER",
        help="Where to keep what was read, the head and its figures. "
        "A run that is there already goes on.",
        show_default=False,
    ),
]
Holes = Annotated[int, typer.Option(min=60, metavar="N", help="Holes to learn from.")]
Seed = Annotated[int, typer.Option(metavar="S", help="Which holes are cut.")]


def train_end(
    corpus: CorpusFolder = None, out: Out = None, holes: Holes = 1500, seed: Seed = 0
) -> None:
    """Teach the embedded model's end head where a middle ends, and measure it.

    The base model stays as it is. Stop it whenever you like; the same command goes on.
    """
    from midfill.inference.training.middle_end.session import train_end_head
    from midfill.lsp.progress_view import progress_view

    with progress_view() as listener:
        folder, report = train_end_head(corpus, out=out, holes=holes, seed=seed, listener=listener)
    print(report)
    print(f"head: {folder / 'end_head.safetensors'}", file=sys.stderr)
