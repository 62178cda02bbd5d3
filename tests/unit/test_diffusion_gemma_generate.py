"""With nothing pinned, our loop writes token for token what `transformers`' ``generate`` writes."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch
from tiny_diffusion_gemma import VOCABULARY, tiny_network
from torch import nn
from transformers import DiffusionGemmaForBlockDiffusion, DiffusionGemmaGenerationConfig
from transformers.models.diffusion_gemma.generation_diffusion_gemma import EntropyBoundSamplerConfig

from midfill.inference.models.diffusion_gemma.model import DiffusionGemma
from midfill.inference.samplers.entropy_bound import EntropyBound
from midfill.inference.uniform.canvas import UniformCanvas
from midfill.inference.uniform.denoising import DenoisingRule, denoise
from midfill.inference.uniform.schedule import LinearTemperature
from midfill.inference.uniform.stopping import StableAndConfident

pytestmark = pytest.mark.usefixtures("one_thread")

CANVAS = 16


@dataclass(frozen=True)
class Case:
    """Settings that both loops are run with."""

    name: str
    seeds: int = 3
    peaky: float = 0.0
    sharpness: float = 20.0
    canvases: int = 1
    steps: int = 8
    bound: float = 0.1
    first: float = 0.8
    last: float = 0.4
    stability: int = 1
    confidence: float = 0.005


CASES = (
    Case("flat", seeds=22, sharpness=1.0, steps=2),
    Case("peaky, several canvases", seeds=20, peaky=10.0, canvases=2, steps=6, confidence=0.05),
    Case("sharp", sharpness=60.0),
    Case("sharp, several canvases", sharpness=60.0, canvases=3, steps=4),
    Case("a generous bound", bound=8.0),
    Case("a tiny bound", bound=1e-4, steps=10),
    Case("another schedule", first=1.5, last=0.1),
    Case("one step", steps=1),
    Case("peaky", peaky=8.0, steps=12, confidence=0.05),
    Case("peaky, stable for longer", peaky=10.0, stability=3, steps=12, confidence=0.05),
    Case("peaky, stability is not asked for", peaky=10.0, stability=0, confidence=0.2),
)


class PeakyHead(nn.Module):
    """The head, and a token that it prefers everywhere."""

    def __init__(self, head: nn.Module, strength: float) -> None:
        super().__init__()
        self.head = head
        self.bias = torch.zeros(VOCABULARY)
        self.bias[7] = strength

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.head(states)
        return logits + self.bias


def network_of(case: Case) -> DiffusionGemmaForBlockDiffusion:
    network = tiny_network(case.sharpness)
    if case.peaky:
        network.lm_head = PeakyHead(network.lm_head, case.peaky)
    return network


def prompt_of(seed: int) -> list[int]:
    generator = torch.Generator().manual_seed(1000 + seed)
    length = 20 + 3 * seed  # shorter and longer than the sliding window
    return torch.randint(5, 370, (length,), generator=generator).tolist()


def generated(
    network: DiffusionGemmaForBlockDiffusion, case: Case, seed: int, end: int | None = None
) -> list[int]:
    prompt = prompt_of(seed)
    torch.manual_seed(seed)
    output = network.generate(
        torch.tensor([prompt]),
        generation_config=DiffusionGemmaGenerationConfig(
            max_new_tokens=case.canvases * CANVAS,
            max_denoising_steps=case.steps,
            sampler_config=EntropyBoundSamplerConfig(case.bound),
            t_max=case.first,
            t_min=case.last,
            stability_threshold=case.stability,
            confidence_threshold=case.confidence,
            eos_token_id=end,
            pad_token_id=0,
        ),
    )
    tokens: list[int] = output.sequences[0, len(prompt) :].tolist()
    return tokens


def ours(model: DiffusionGemma, case: Case, seed: int) -> tuple[list[int], list[int]]:
    """The tokens, and the steps of each canvas."""
    generator = torch.Generator().manual_seed(seed)
    context = model.new_context()
    model.encode(prompt_of(seed), context)
    rule = DenoisingRule(
        case.steps,
        LinearTemperature(case.first, case.last),
        EntropyBound(case.bound),
        StableAndConfident(case.stability, case.confidence),
    )
    tokens: list[int] = []
    steps = []
    for _ in range(case.canvases):
        canvas = UniformCanvas.blank(CANVAS, model.device)
        *_, last = denoise(model.behind(context), canvas, rule, [generator])
        tokens += last.best[0].tolist()
        steps.append(last.number)
        model.encode(last.best[0].tolist(), context)
    return tokens, steps


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_same_seed_gives_the_tokens_that_generate_gives(case: Case) -> None:
    network = network_of(case)
    model = DiffusionGemma(network)
    for seed in range(case.seeds):
        assert ours(model, case, seed)[0] == generated(network, case, seed)


def test_peaky_cases_stop_early_each_in_its_own_time() -> None:
    case = CASES[1]
    model = DiffusionGemma(network_of(case))
    steps = [number for seed in range(8) for number in ours(model, case, seed)[1]]
    assert len(set(steps)) > 2
    assert min(steps) < case.steps


def test_another_seed_gives_other_tokens() -> None:
    case = CASES[0]
    model = DiffusionGemma(network_of(case))
    assert ours(model, case, 1)[0] != ours(model, case, 2)[0]


def test_the_tokens_do_not_depend_on_how_the_context_was_encoded() -> None:
    case = Case("sharp", sharpness=60.0, steps=3)
    model = DiffusionGemma(network_of(case))
    prompt = prompt_of(20)
    in_pieces = model.new_context()
    for start in range(0, len(prompt), 7):
        model.encode(prompt[start : start + 7], in_pieces)
    canvas = UniformCanvas.blank(CANVAS, model.device)
    generator = torch.Generator().manual_seed(20)
    *_, last = denoise(model.behind(in_pieces), canvas, DenoisingRule(case.steps), [generator])
    assert last.best[0].tolist() == ours(model, case, 20)[0]


def test_up_to_an_end_of_sequence_they_are_the_same_and_behind_it_generate_only_pads() -> None:
    case = Case("sharp", sharpness=60.0, canvases=2, steps=4)
    network = network_of(case)
    plain = ours(DiffusionGemma(network), case, 1)[0]
    end = plain[5]
    at = plain.index(end)
    padded = [*plain[: at + 1], *[0] * (CANVAS - at - 1)]
    assert plain[:CANVAS] != padded
    assert generated(network, case, 1, end) == padded
