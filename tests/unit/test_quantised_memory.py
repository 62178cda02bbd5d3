"""How much memory models take, added up on the meta device in their published sizes."""

from __future__ import annotations

import pytest
import torch
from model_memory import (
    BESIDE,
    GIB,
    LOGITS_AT_ONCE,
    META,
    MODELS,
    Memory,
    beside_diffusion_gemma,
    on_meta,
    table,
)
from torch.nn.utils.parametrize import is_parametrized

from midfill.inference.models.options import Weights
from midfill.inference.models.quantised.memory import unpacking_bytes, weight_bytes
from midfill.inference.models.quantised.quantise import quantise

pytestmark = pytest.mark.usefixtures("one_thread")

LAYERS, EXPERTS, HIDDEN, EXPERT_WIDTH = 30, 128, 2816, 704
EXPERT_WEIGHTS = LAYERS * EXPERTS * 3 * HIDDEN * EXPERT_WIDTH


@pytest.mark.parametrize(
    ("weights", "least", "most", "bytes_of_experts"),
    [
        # A byte each, and two for the scale of a row.
        (
            Weights.INT8,
            25.5e9,
            26.5e9,
            EXPERT_WEIGHTS + 2 * LAYERS * EXPERTS * (2 * EXPERT_WIDTH + HIDDEN),
        ),
        # Half a byte each, and two for the scale of 64.
        (Weights.INT4, 14e9, 15e9, EXPERT_WEIGHTS // 2 + 2 * EXPERT_WEIGHTS // 64),
    ],
)
def test_the_experts_of_diffusion_gemma_are_quantised_like_the_rest(
    weights: Weights, least: float, most: float, bytes_of_experts: int
) -> None:
    model = on_meta(MODELS["DiffusionGemma 26B-A4B"])
    in_full = weight_bytes(model)
    assert 25.1e9 < in_full / 2 < 25.3e9  # 25.2 billion weights are published
    assert 2 * EXPERT_WEIGHTS / in_full > 0.85  # which is why they matter
    assert unpacking_bytes(model, torch.bfloat16) == 2 * EXPERT_WEIGHTS // LAYERS
    quantise(model, weights, META)
    stacks = [module for name, module in model.named_modules() if name.endswith(".experts")]
    assert len(stacks) == 2 * LAYERS  # once as the encoder's, once as the decoder's
    assert all(
        is_parametrized(stack, name) for stack in stacks for name in ("gate_up_proj", "down_proj")
    )
    of_experts = {
        id(tensor): tensor.numel() * tensor.element_size()
        for stack in stacks
        for tensor in (*stack.parameters(), *stack.buffers())
    }
    values = 2 * LAYERS * 16 * 4 if weights is Weights.INT4 else 0
    assert sum(of_experts.values()) == bytes_of_experts + values
    assert least < weight_bytes(model) < most


def test_a_tensor_that_modules_share_counts_once() -> None:
    first, second = torch.nn.Linear(8, 4, bias=False), torch.nn.Linear(8, 4, bias=False)
    both = torch.nn.ModuleList([first, second])
    assert weight_bytes(both) == 2 * 8 * 4 * 4
    second.weight = first.weight
    assert weight_bytes(both) == 8 * 4 * 4


def test_a_card_has_to_hold_more_than_the_weights() -> None:
    row = Memory("M", Weights.INT8, weights=20 * GIB, unpacked=2 * GIB)
    assert row.total == 22 * GIB + BESIDE
    assert not row.fits(22)
    assert row.fits(24)
    line = table([row]).splitlines()[-1]
    assert line.startswith("| M | int8 | 21,474,836,480 | 20.0 | 23.5 | – |")
    assert line.endswith("| – | yes | yes | yes | yes |")


def test_what_diffusion_gemma_needs_beside_its_weights_is_counted() -> None:
    beside = beside_diffusion_gemma(on_meta(MODELS["DiffusionGemma 26B-A4B"]))
    # Five layers see all of it, 25 a window; keys and values in bfloat16.
    copied = 2 * 2 * (5 * 3072 * 2 * 512 + 25 * 1024 * 8 * 256)
    step = LOGITS_AT_ONCE * 64 * 262144 * 4
    encoding = 2 * 2 * (5 * (2816 + 512) * 2 * 512 + 25 * (1024 + 512) * 8 * 256)
    assert beside == GIB + copied + GIB / 2 + max(step, encoding)
    assert BESIDE < beside < 2.5 * GIB
