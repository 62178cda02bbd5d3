"""``midfill calibrate``: fit the confidences of fills on fills of known holes."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

Records = Annotated[
    list[Path],
    typer.Argument(
        metavar="RECORD...",
        help="What `midfill eval self --out RECORD` wrote.",
        show_default=False,
    ),
]
Tests = Annotated[
    list[Path] | None,
    typer.Option(
        "--test",
        metavar="RECORD",
        help="Measure on this record, too, and do not fit on it; may be given several times.",
        show_default=False,
    ),
]
Out = Annotated[
    Path | None,
    typer.Option(
        "--out",
        metavar="FILE",
        help="Write the calibration there; without it nothing is written.",
        show_default=False,
    ),
]
Plots = Annotated[
    Path | None,
    typer.Option("--plots", metavar="FOLDER", help="Draw two plots there.", show_default=False),
]
Seed = Annotated[int, typer.Option("--seed", metavar="S", help="Of all that is drawn.")]


def calibrate(
    records: Records, test: Tests = None, out: Out = None, plots: Plots = None, seed: Seed = 0
) -> None:
    """Fit what a fill's confidence is: the chance that it is exactly right.

    It is measured on fills of files that were not fitted on, and compared with the geometric mean
    of the tokens' probabilities.
    """
    from midfill.inference.evaluation.calibration import session

    outcome = session.calibrate(records, tests=test or (), out=out, pictures=plots, seed=seed)
    print(outcome.report, end="")
    for path in outcome.written:
        print(f"written: {path}", file=sys.stderr)
