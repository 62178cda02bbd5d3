"""Steps that are replayed as CUDA graphs compute what plain ones compute."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch
from tiny_absorbing import dream, llada
from tiny_diffusion_gemma import tiny_network

from midfill.inference.captured_steps import PLAIN_RUNS, CapturedSteps
from midfill.inference.in_place.canvas import Accepted, HoleCanvas
from midfill.inference.models.absorbing.bidirectional import BidirectionalModel
from midfill.inference.models.absorbing.checkpoint import read_checkpoint
from midfill.inference.models.diffusion_gemma.model import DiffusionGemma
from midfill.inference.models.options import CANVAS_LENGTHS, Caching
from midfill.inference.uniform.canvas import UniformCanvas
from midfill.inference.uniform.denoising import DenoisingRule, denoise

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

STEPS = PLAIN_RUNS + 4
"""Enough to capture, and to replay a few times."""


def bidirectional(folder: Path, device: torch.device, *, capture: bool) -> BidirectionalModel:
    checkpoint = read_checkpoint(folder, dtype=torch.float32, device=device)
    return BidirectionalModel(
        checkpoint.backbone,
        mask=checkpoint.tokens.mask,
        shift=checkpoint.shift,
        longest=checkpoint.longest,
        steps=CapturedSteps(device, capture=capture),
    )


def denoised(model: BidirectionalModel, slots: int, seed: int, caching: Caching) -> list[Tensor]:
    generator = torch.Generator().manual_seed(seed)
    ids = torch.randint(0, 256, (400,), generator=generator).tolist()
    hole = HoleCanvas.masked(ids[:300], slots, ids[300:])
    block = range(slots)
    logits = [model.predict(hole, block, caching, refresh=True)]
    for slot in range(STEPS):
        hole = hole.accept({slot: Accepted(ids[slot], 0.0)})
        logits.append(model.predict(hole, block, caching, refresh=False).clone())
    return logits


@pytest.mark.parametrize("canvas", CANVAS_LENGTHS)
@pytest.mark.parametrize("caching", [Caching.PREFIX, Caching.DUAL])
@pytest.mark.parametrize("shift", [True, False])
def test_in_place_logits_are_the_same_for_every_canvas_length(
    cuda: torch.device, tmp_path: Path, canvas: int, caching: Caching, shift: bool
) -> None:
    folder = (dream() if shift else llada()).write(tmp_path)
    captured = bidirectional(folder, cuda, capture=True)
    plain = bidirectional(folder, cuda, capture=False)

    for seed in range(2):
        pairs = zip(
            denoised(captured, canvas, seed, caching),
            denoised(plain, canvas, seed, caching),
            strict=True,
        )
        for ours, wanted in pairs:
            torch.testing.assert_close(ours, wanted, rtol=0, atol=1e-4)
    assert captured._passes.steps.graphs == 1  # it was a graph, and one


def gemma(device: torch.device, *, capture: bool) -> DiffusionGemma:
    network = tiny_network(20.0).to(device)
    # The usual way to compute experts waits for the device in float32.
    network.set_experts_implementation("batched_mm")
    return DiffusionGemma(network, CapturedSteps(device, capture=capture))


@pytest.mark.parametrize("canvas", CANVAS_LENGTHS)
def test_diffusion_gemma_writes_the_same_for_every_canvas_length(
    cuda: torch.device, canvas: int
) -> None:
    captured, plain = gemma(cuda, capture=True), gemma(cuda, capture=False)

    for seed, length in enumerate((40, 90, 600)):
        generator = torch.Generator().manual_seed(seed)
        prompt = torch.randint(5, 370, (length,), generator=generator).tolist()
        contexts = [model.new_context() for model in (captured, plain)]
        for model, context in zip((captured, plain), contexts, strict=True):
            model.encode(prompt, context)
        ours, theirs = captured.behind(contexts[0]), plain.behind(contexts[1])
        layout = UniformCanvas.blank(canvas, cuda)
        ids = layout.filled(torch.arange(canvas, device=cuda) % 300)
        belief = None
        for _ in range(STEPS):
            wanted = theirs.predict(layout, ids, belief)
            found = ours.predict(layout, ids, belief)
            torch.testing.assert_close(found, wanted, rtol=0, atol=2e-3)
            belief = theirs.believe(layout, wanted)
    assert captured.steps.graphs > 0


def test_its_loop_writes_what_generate_writes(cuda: torch.device) -> None:
    from transformers import DiffusionGemmaGenerationConfig

    network = tiny_network(60.0).to(cuda)
    model = DiffusionGemma(network, CapturedSteps(cuda, capture=False))
    same = 0
    for seed in range(12):
        generator = torch.Generator().manual_seed(1000 + seed)
        prompt = torch.randint(5, 370, (20 + 3 * seed,), generator=generator).tolist()
        torch.manual_seed(seed)
        output = network.generate(
            torch.tensor([prompt], device=cuda),
            generation_config=DiffusionGemmaGenerationConfig(
                max_new_tokens=16, max_denoising_steps=8
            ),
        )
        context = model.new_context()
        model.encode(prompt, context)
        *_, last = denoise(
            model.behind(context),
            UniformCanvas.blank(16, cuda),
            DenoisingRule(8),
            [torch.Generator(cuda).manual_seed(seed)],
        )
        same += last.best[0].tolist() == output.sequences[0, len(prompt) :].tolist()
    assert same == 12


def test_what_waits_for_the_device_runs_without_a_graph(cuda: torch.device) -> None:
    steps = CapturedSteps(cuda)

    def reads_back(x: Tensor) -> Tensor:
        return x * float(x.sum())

    results = [float(steps.run("reads", reads_back, x=torch.tensor([float(n)]))) for n in range(5)]
    doubled = [
        float(steps.run("doubles", lambda x: x * 2, x=torch.tensor([float(n)]))) for n in range(5)
    ]

    assert results == [0, 1, 4, 9, 16]
    assert doubled == [0, 2, 4, 6, 8]
    assert steps.graphs == 1
    assert torch.cuda.current_stream(cuda) == torch.cuda.default_stream(cuda)
