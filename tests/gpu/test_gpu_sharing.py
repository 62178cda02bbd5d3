"""Fills that share passes on a card write what they write alone, replayed as graphs or not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sharing_fills import Fill, alone, same, together
from tiny_absorbing import MODELS
from tiny_diffusion_gemma import write_tiny

from midfill.inference.engine import Engine
from midfill.inference.fillers.diffusion_gemma import DiffusionGemmaFiller
from midfill.inference.fillers.in_place import InPlaceFiller
from midfill.inference.wire import InfillRequest, Limits

if TYPE_CHECKING:
    from pathlib import Path

    import torch

SUFFIX = "\n\n\ndef other():\n    return 1\n"
REQUESTS = [
    InfillRequest(prefix=prefix, suffix=SUFFIX, limits=Limits(tokens=tokens), seed=tokens)
    for prefix, tokens in (
        ("def total(values):\n    retu", 24),
        ("x = ", 9),
        ("import os\n" * 60 + "def total(values):\n    ", 16),
        ("for name in os.lis", 20),
    )
]


@pytest.mark.parametrize("name", ["Dream", "DreamOn", "LLaDA"])
@pytest.mark.parametrize("cache", ["none", "prefix", "dual", "open"])
def test_holes_in_place(cuda: torch.device, tmp_path: Path, name: str, cache: str) -> None:
    filler = Engine(f"{MODELS[name].write(tmp_path)},weights=float32,cache={cache}", "cuda").filler
    assert isinstance(filler, InPlaceFiller)
    assert filler.fills_at_once == 8
    wanted = [alone(filler, asked) for asked in REQUESTS]

    for _ in range(3):
        fills = [Fill(asked, joins=number) for number, asked in enumerate(REQUESTS)]
        together(filler, fills)
        assert all(same(fill.finished, one) for fill, one in zip(fills, wanted, strict=True))


@pytest.mark.parametrize("suffix", ["prompt", "pinned", "both"])
def test_canvases_of_diffusion_gemma(cuda: torch.device, tmp_path: Path, suffix: str) -> None:
    options = f",weights=float32,canvas=32,steps=6,suffix={suffix}"
    filler = Engine(f"{write_tiny(tmp_path, 20.0)}{options}", "cuda").filler
    assert isinstance(filler, DiffusionGemmaFiller)
    assert filler.fills_at_once == 16
    # The usual way to compute experts waits for the device in float32.
    filler._model.network.set_experts_implementation("batched_mm")
    wanted = [alone(filler, asked) for asked in REQUESTS]

    for _ in range(3):
        fills = [Fill(asked, joins=number) for number, asked in enumerate(REQUESTS)]
        together(filler, fills)
        assert all(same(fill.finished, one) for fill, one in zip(fills, wanted, strict=True))
    assert filler._model.steps.graphs > 0
