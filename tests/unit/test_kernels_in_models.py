"""Tiny models compute with Triton, in its interpreter, what they compute in plain torch."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(importlib.util.find_spec("triton") is None, reason="needs triton")

PROGRAM = """
import json, os, sys
from contextlib import contextmanager
from pathlib import Path
import torch
torch.set_num_threads(1)

launched = []
def watch(name):
    import importlib
    module = importlib.import_module(f"midfill.kernels.triton.{name}")
    original = getattr(module, name)
    def watched(*arguments, **named):
        launched.append(name)
        return original(*arguments, **named)
    setattr(module, name, watched)

def both(compute):
    found = []
    for kernels in ("torch", "triton"):
        os.environ["MIDFILL_KERNELS"] = kernels
        if kernels == "triton" and not launched:
            for name in NAMES:
                watch(name)
        with torch.inference_mode():
            found.append(compute())
    return float((found[0] - found[1]).abs().max() / found[0].abs().max())

"""

IN_PLACE = (
    PROGRAM
    + """
NAMES = ("canvas_attention", "rotary_shift", "unmask")
from dataclasses import replace
from tiny_absorbing import dream
from midfill.inference.captured_steps import CapturedSteps
from midfill.inference.in_place.canvas import HoleCanvas
from midfill.inference.models.absorbing.bidirectional import BidirectionalModel
from midfill.inference.models.absorbing.checkpoint import read_checkpoint
from midfill.inference.models.options import Caching

CPU = torch.device("cpu")
made = read_checkpoint(dream().write(Path(sys.argv[1])), dtype=torch.float32, device=CPU)
model = BidirectionalModel(
    made.backbone, mask=made.tokens.mask, shift=made.shift, longest=256, steps=CapturedSteps(CPU)
)

def steps():
    hole = HoleCanvas.masked(range(20, 32), 4, range(50, 59))
    model.predict(hole, range(4), Caching.DUAL, refresh=True)
    hole = replace(hole, slots=(*hole.slots, None))
    found = model.predict(hole, range(5), Caching.DUAL, refresh=False)
    sure = torch.tensor(model.surety(hole.prefix, [1, 3], hole.suffix))
    return torch.cat((found.flatten(), sure))

print(json.dumps([both(steps), sorted(set(launched))]))
"""
)

EMBEDDED = (
    PROGRAM
    + """
NAMES = ("canvas_attention", "norm_linear", "gated_linear")
from tiny_training import ARCHITECTURE, SHAPE, tiny_base
from midfill.inference.canvas import Canvas, CanvasLayout
from midfill.inference.models.embedded.adapter import FORMAT, AdapterFile
from midfill.inference.models.embedded.eager_network import EagerNetwork
from midfill.inference.models.embedded.model import EmbeddedModel
from midfill.inference.models.embedded.weights import Weights
from midfill.inference.training.student import initial_parameters

drawing = torch.Generator().manual_seed(3)
tensors = {
    name: 0.3 * torch.randn(tensor.shape, generator=drawing)
    for name, tensor in initial_parameters(SHAPE, ARCHITECTURE, 0).items()
}
tensors["guess_tokens"] = torch.arange(100, 100 + SHAPE.guessable).int()
file = AdapterFile(tensors, {"format": FORMAT, "entry_layer": str(SHAPE.entry_layer)})
weights = Weights.assemble(tiny_base(), file, ARCHITECTURE)
model = EmbeddedModel(EagerNetwork(weights, ARCHITECTURE), weights.adapter, ARCHITECTURE)

def step():
    cache = model.new_cache(64)
    model.encode([5, 9, 14, 3, 77, 21, 8], cache)
    canvas = Canvas((40, 41, 2), CanvasLayout(3, (0, 1, 2), 2))
    found = model.denoise(canvas, cache)
    return torch.cat((found.known_states.flatten(), found.mask_states.flatten()))

print(json.dumps([both(step), sorted(set(launched))]))
"""
)


@pytest.mark.parametrize(
    ("program", "launched"),
    [
        (IN_PLACE, ["canvas_attention", "rotary_shift", "unmask"]),
        (EMBEDDED, ["canvas_attention", "gated_linear", "norm_linear"]),
    ],
    ids=["in place", "embedded"],
)
def test_a_model_computes_with_triton_what_it_computes_in_torch(
    tmp_path: Path, program: str, launched: list[str]
) -> None:
    here = str(Path(__file__).parent)
    paths = os.pathsep.join([here, os.environ.get("PYTHONPATH", "")])
    said = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)],
        capture_output=True,
        text=True,
        env={**os.environ, "TRITON_INTERPRET": "1", "PYTHONPATH": paths},
    )
    assert said.returncode == 0, said.stderr
    difference, used = json.loads(said.stdout.splitlines()[-1])
    assert difference < 1e-4
    assert used == launched
