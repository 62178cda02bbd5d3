"""Whether rounding the embedded model to int8 costs it right answers.

Takes windows of the Python library's own source files, and compares at every token what the model
in float32 and the model in int8 hold for the next one::

    python benchmarks/int8_accuracy.py --places 20000
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from midfill.inference.canvas import Canvas, CanvasLayout
from midfill.inference.models.embedded.files import Form
from midfill.inference.models.loading import load_embedded
from midfill.inference.progress import nobody_listens

if TYPE_CHECKING:
    from midfill.inference.models.interface import DenoisingModel
    from midfill.inference.tokenizer import Tokenizer

WINDOW = 256
LEAD = 32
"""Tokens at a window's start that are not asked about: they have too little before them."""


def windows(tokenizer: Tokenizer, count: int, seed: int) -> list[list[int]]:
    draw = random.Random(seed)
    files = sorted(Path(sysconfig.get_path("stdlib")).glob("*.py"))
    draw.shuffle(files)
    found: list[list[int]] = []
    for path in files:
        tokens = tokenizer.encode(path.read_text("utf-8", "ignore"))
        if len(tokens) > WINDOW:
            start = draw.randrange(len(tokens) - WINDOW)
            found.append(tokens[start : start + WINDOW])
        if len(found) == count:
            break
    return found


def next_logits(model: DenoisingModel, tokens: list[int]) -> torch.Tensor:
    """(WINDOW - LEAD, vocabulary): row i is about token LEAD + i + 1."""
    canvas = Canvas(tuple(tokens[LEAD:]), CanvasLayout(len(tokens) - LEAD, (0,), 0))
    cache = model.new_cache(WINDOW)
    model.encode(tokens[:LEAD], cache)
    return model.denoise(canvas, cache).logits[:-1]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--places", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="a JSON file")
    chosen = parser.parse_args()

    cpu = torch.device("cpu")
    exact = load_embedded(cpu, nobody_listens, Form.BFLOAT16)
    rounded = load_embedded(cpu, nobody_listens, Form.INT8)
    each = WINDOW - LEAD - 1
    texts = windows(exact.tokenizer, -(-chosen.places // each), chosen.seed)
    right, right_rounded, same, losses, divergences = [], [], [], [], []
    for number, tokens in enumerate(texts, 1):
        truth = torch.tensor(tokens[LEAD + 1 :])
        before = next_logits(exact.model, tokens).log_softmax(-1)
        after = next_logits(rounded.model, tokens).log_softmax(-1)
        best, best_rounded = before.argmax(-1), after.argmax(-1)
        right += (best == truth).tolist()
        right_rounded += (best_rounded == truth).tolist()
        same += (best == best_rounded).tolist()
        losses += (before - after).gather(1, truth[:, None])[:, 0].tolist()
        divergences += (before.exp() * (before - after)).sum(-1).tolist()
        print(f"\r{number} of {len(texts)} windows", end="", flush=True)
    difference = [int(b) - int(a) for a, b in zip(right, right_rounded, strict=True)]
    error = statistics.stdev(difference) / len(difference) ** 0.5
    figures = {
        "places": len(right),
        "right": statistics.mean(right),
        "right_int8": statistics.mean(right_rounded),
        "difference": statistics.mean(difference),
        "difference_interval_95": [
            statistics.mean(difference) - 1.96 * error,
            statistics.mean(difference) + 1.96 * error,
        ],
        "same_best_token": statistics.mean(same),
        "nats_lost": statistics.mean(losses),
        "divergence": statistics.mean(divergences),
    }
    print("\r" + json.dumps(figures, indent=2))
    if chosen.out:
        chosen.out.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
