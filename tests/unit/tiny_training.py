"""A base model of three tiny layers with the real vocabulary, and a recipe that runs in seconds."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import torch

from midfill.inference.models.embedded.adapter import FORMAT, AdapterFile
from midfill.inference.models.embedded.architecture import Architecture
from midfill.inference.models.embedded.eager_network import EagerNetwork
from midfill.inference.models.embedded.gguf_layout import fused_layout
from midfill.inference.models.embedded.model import EmbeddedModel
from midfill.inference.models.embedded.weights import Base, Weights, assemble_base
from midfill.inference.training.corpus.source_text import Corpus, SourceText
from midfill.inference.training.recipe import (
    Data,
    HeldOut,
    Optimisation,
    Recipe,
    Shape,
    WindowSizes,
)
from midfill.inference.training.student import initial_parameters

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from midfill.inference.training.checkpoint import RunState
    from midfill.inference.training.run import Outcome

ARCHITECTURE = Architecture(
    layers=3, width=32, query_heads=4, key_heads=2, head_size=8, feed_forward=48, positions=512
)
SHAPE = Shape(entry_layer=1, rank=4, masks=3, sampler_width=48, guessable=512)
SIZES = WindowSizes(suffix=6, prefix=16)
RECIPE = Recipe(
    data=Data(windows=(SIZES,), windows_per_round=4, middle=(2, 8), continuation=12),
    shape=SHAPE,
    optimisation=Optimisation(targets=160, windows=2, places=3, warm_up=10, passes=0.4),
    held_out=HeldOut(windows=2, sizes=SIZES, every=60),
)


@cache
def tiny_base() -> Base:
    drawing = torch.Generator().manual_seed(11)
    tensors = {
        tensor.name: torch.randn(tensor.shape, generator=drawing) / tensor.shape[-1] ** 0.5
        for tensor in fused_layout(ARCHITECTURE)
    }
    embedding = torch.randn(ARCHITECTURE.vocabulary, ARCHITECTURE.width, generator=drawing)

    def rows(tokens: Sequence[int]) -> torch.Tensor:
        return embedding[torch.tensor(list(tokens), dtype=torch.long)]

    return assemble_base(
        tensors, rows, ARCHITECTURE, dtype=torch.float32, device=torch.device("cpu")
    )


def tiny_model(masks: int) -> EmbeddedModel:
    """`tiny_base` behind the real network in float32, with an adapter made of chance."""
    shape = SHAPE.model_copy(update={"masks": masks})
    drawing = torch.Generator().manual_seed(3)
    parameters = {
        name: 0.3 * torch.randn(tensor.shape, generator=drawing)
        for name, tensor in initial_parameters(shape, ARCHITECTURE, 0).items()
    }
    file = AdapterFile(
        {**parameters, "guess_tokens": torch.arange(100, 100 + shape.guessable).int()},
        {"format": FORMAT, "entry_layer": str(shape.entry_layer)},
    )
    weights = Weights.assemble(tiny_base(), file, ARCHITECTURE)
    return EmbeddedModel(EagerNetwork(weights, ARCHITECTURE), weights.adapter, ARCHITECTURE)


def tiny_corpus() -> Corpus:
    def file(number: int) -> SourceText:
        lines = [f"def function_{number}_{i}(x):\n    return x + {i}\n\n" for i in range(40)]
        return SourceText("package", f"m{number}.py", "python", "".join(lines))

    return Corpus(tuple(file(i) for i in range(4)), (file(9),))


@dataclass(frozen=True, slots=True)
class FinishedRun:
    """A run of `RECIPE` on `tiny_corpus` that was finished once, for all tests that go on from one.

    Attributes:
        folder: what it left there; not to be changed.
        state: what it ended with.
        outcome: what it said.
    """

    folder: Path
    state: RunState
    outcome: Outcome

    def copy_to(self, folder: Path) -> None:
        """Put a copy of all its files into a folder."""
        shutil.copytree(self.folder, folder, dirs_exist_ok=True)
