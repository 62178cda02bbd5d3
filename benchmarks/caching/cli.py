"""The command line of the caching benchmark."""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from rich.console import Console
from rich.table import Table

from midfill.inference.captured_steps import CapturedSteps
from midfill.inference.devices import torch_device
from midfill.inference.errors import MidfillError
from midfill.inference.in_place.choosing_slots import SlotChooser
from midfill.inference.in_place.edges import Edges
from midfill.inference.in_place.lengths.fixed import FixedLength
from midfill.inference.in_place.unmasking import Rules
from midfill.inference.models.absorbing.bidirectional import BidirectionalModel
from midfill.inference.models.absorbing.checkpoint import read_checkpoint
from midfill.inference.models.dtypes import dtype_of
from midfill.inference.models.options import Caching, Weights
from midfill.inference.samplers.confidence_threshold import ConfidenceThreshold

from .measuring import Hole, drifts, outcome, summary
from .tiny_model import python_files, train

if TYPE_CHECKING:
    from collections.abc import Sequence

    from midfill.inference.models.absorbing.checkpoint import AbsorbingCheckpoint

BLOCKS = (None, 16, 8)
SHORTEST_HOLE, LONGEST_HOLE = 8, 32
PREFIX, SUFFIX = 128, 64
CHARACTERS = 2000
"""Around a hole, enough for the windows whatever the tokenizer."""


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    try:
        report = _run(options)
    except MidfillError as error:
        print(f"caching: {error}", file=sys.stderr)
        return error.exit_status
    if options.out:
        options.out.write_text(json.dumps(report, indent=1) + "\n")
    _show(report)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.caching",
        description="What keeping keys between steps costs a fully bidirectional model.",
    )
    parser.add_argument("--checkpoint", type=Path, help="a folder; trains a tiny model without")
    parser.add_argument("--seconds", type=float, default=480, help="of that training")
    parser.add_argument("--keep", type=Path, help="where to write the tiny model")
    parser.add_argument("--holes", type=int, default=120)
    parser.add_argument("--threshold", type=float, default=0.9, help="of the confidence sampler")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="a JSON file")
    return parser


def _run(options: argparse.Namespace) -> dict[str, Any]:
    device = torch_device(options.device)
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.checkpoint or train(
            options.keep or Path(temporary), options.seconds, options.seed, _say
        )
        weights = Weights.AUTO if options.checkpoint else Weights.FLOAT32
        checkpoint = read_checkpoint(folder, dtype=dtype_of(weights, device), device=device)
        return _measured(checkpoint, device, options)


def _measured(
    checkpoint: AbsorbingCheckpoint, device: torch.device, options: argparse.Namespace
) -> dict[str, Any]:
    model = BidirectionalModel(
        checkpoint.backbone,
        mask=checkpoint.tokens.mask,
        shift=checkpoint.shift,
        longest=checkpoint.longest,
        steps=CapturedSteps(device),
    )
    holes = _holes(checkpoint, options.holes, random.Random(options.seed))
    rows = []
    for block in BLOCKS:
        rules = _rules(checkpoint, block, options.threshold)
        # One hole after the other in every way, so that a slow minute is shared by all.
        results = {caching: [] for caching in Caching}
        drift = {caching: [] for caching in Caching}
        for number, hole in enumerate(holes, 1):
            for caching in Caching:
                results[caching].append(outcome(model, hole, rules, caching))
                if caching is not Caching.NONE:
                    drift[caching] += drifts(model, hole, rules, caching)
            if number % 20 == 0:
                _say(f"block {block or 'all'}: {number} of {len(holes)} holes")
        for caching in Caching:
            figures = summary(holes, results[caching], results[Caching.NONE], drift[caching])
            rows.append({"block": block, "caching": str(caching), **figures})
    return {
        "model": checkpoint.family if options.checkpoint else "tiny model of bytes",
        "trained_seconds": None if options.checkpoint else options.seconds,
        "holes": len(holes),
        "threshold": options.threshold,
        "seed": options.seed,
        "device": str(device),
        "torch": torch.__version__,
        "rows": rows,
    }


def _rules(checkpoint: AbsorbingCheckpoint, block: int | None, threshold: float) -> Rules:
    tokens = checkpoint.tokens
    control = {tokens.end, tokens.expand, tokens.delete} - {None}
    return Rules(
        sampler=ConfidenceThreshold(threshold),
        chooser=SlotChooser(0.0, 1.0, 0),
        length=FixedLength(control_tokens=frozenset(token for token in control if token)),
        banned=torch.tensor(sorted(checkpoint.banned)),
        edges=Edges(),
        ends=checkpoint.tokenizer.ends,
        caching=Caching.NONE,
        block=block,
        steps=LONGEST_HOLE,
        most=LONGEST_HOLE,
    )


def _holes(checkpoint: AbsorbingCheckpoint, count: int, draw: random.Random) -> list[Hole]:
    """Holes of known length in files that the tiny model was not trained on."""
    texts = [text.decode(errors="ignore") for text in python_files()[1]]
    bos = () if checkpoint.tokens.bos is None else (checkpoint.tokens.bos,)
    holes: list[Hole] = []
    while len(holes) < count:
        text = draw.choice(texts)
        at = draw.randrange(max(1, len(text) - CHARACTERS))
        ids = checkpoint.tokenizer.encode(text[at : at + CHARACTERS])
        length = draw.randint(SHORTEST_HOLE, LONGEST_HOLE)
        if len(ids) >= PREFIX + length + SUFFIX:
            end = PREFIX + length
            holes.append(
                Hole((*bos, *ids[:PREFIX]), tuple(ids[PREFIX:end]), tuple(ids[end : end + SUFFIX]))
            )
    return holes


def _show(report: dict[str, Any]) -> None:
    table = Table(title=f"{report['model']}, {report['holes']} holes of known length")
    for title in (
        *("block", "cache", "right tokens", "as without", "KL, nats", "same best token"),
        *("steps", "ms a step"),
    ):
        table.add_column(title, justify="right")
    for row in report["rows"]:
        table.add_row(
            str(row["block"] or "all"),
            row["caching"],
            f"{100 * row['right_tokens']:.1f} %",
            f"{100 * row['same_as_without']:.1f} %",
            f"{row['divergence_nats']:.4f}",
            f"{100 * row['same_best_token']:.1f} %",
            f"{row['steps']:.1f}",
            f"{row['ms_a_step']:.1f}",
        )
    Console(width=None if sys.stdout.isatty() else 120).print(table)


def _say(message: str) -> None:
    print(message, file=sys.stderr, flush=True)
