"""Weights in 8 and 4 bits: what they become, which do, and that models still say the same."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.nn.utils.parametrize import is_parametrized
from transformers import (
    DiffusionGemmaConfig,
    DiffusionGemmaForBlockDiffusion,
    Qwen2Config,
    Qwen2ForCausalLM,
)

from midfill.inference.errors import UsageError
from midfill.inference.models.options import Weights
from midfill.inference.models.quantised.int8_rows import int8_rows
from midfill.inference.models.quantised.memory import weight_bytes
from midfill.inference.models.quantised.normal_float4 import normal_float4
from midfill.inference.models.quantised.quantise import compute_in, is_quantised, quantise

if TYPE_CHECKING:
    from torch import Tensor

pytestmark = pytest.mark.usefixtures("one_thread")

CPU = torch.device("cpu")
QUANTISED = [Weights.INT8, Weights.INT4]
SHAPES = st.tuples(st.integers(1, 9), st.integers(1, 40)) | st.tuples(
    st.integers(1, 3), st.integers(1, 9), st.integers(1, 40)
)
TYPES = st.sampled_from([torch.float32, torch.bfloat16])


def random_weight(shape: tuple[int, ...], dtype: torch.dtype, seed: int) -> Tensor:
    random = torch.Generator().manual_seed(seed)
    magnitudes = torch.logspace(-3, 0, shape[-2])[:, None]
    return (torch.randn(shape, generator=random) * magnitudes).to(dtype)


@given(shape=SHAPES, dtype=TYPES, seed=st.integers(0, 2**32))
def test_eight_bits_are_off_by_half_a_step_of_their_row_at_most(
    shape: tuple[int, ...], dtype: torch.dtype, seed: int
) -> None:
    weight = random_weight(shape, dtype, seed)
    packed, unpack = int8_rows(weight, CPU, weight.dtype)
    again = unpack(packed)
    assert packed.dtype == torch.int8
    assert again.dtype == dtype
    assert again.shape == weight.shape
    largest = weight.abs().amax(-1, keepdim=True).float()
    # What rounding to the type itself costs comes on top: of the scale, and of the product.
    bound = largest * (0.5 / 127 + 1.1 * torch.finfo(dtype).eps)
    assert ((again.float() - weight.float()).abs() <= bound).all()


def test_eight_bits_of_rows_worked_by_hand() -> None:
    weight = torch.tensor([[127.0, -64.0, 0.4], [0.0, 0.0, 0.0], [-2.54, 1.27, 0.02]])
    packed, unpack = int8_rows(weight, CPU, weight.dtype)
    assert packed.tolist() == [[127, -64, 0], [0, 0, 0], [-127, 64, 1]]
    expected = torch.tensor([[127.0, -64.0, 0.0], [0.0, 0.0, 0.0], [-2.54, 1.28, 0.02]])
    torch.testing.assert_close(unpack(packed), expected)


def test_eight_bits_are_those_of_bitsandbytes() -> None:
    functional = pytest.importorskip("bitsandbytes").functional
    weight = random_weight((16, 64), torch.float32, 1).half().float()
    theirs, largest, _ = functional.int8_vectorwise_quant(weight.half())
    packed, unpack = int8_rows(weight, CPU, weight.dtype)
    torch.testing.assert_close(unpack.scale.squeeze(-1) * 127, largest.float())
    assert (packed.int() - theirs.int()).abs().max() <= 1
    assert (packed == theirs).float().mean() > 0.99


@given(shape=SHAPES, dtype=TYPES, seed=st.integers(0, 2**32))
def test_four_bits_are_off_by_half_the_widest_gap_of_their_block_at_most(
    shape: tuple[int, ...], dtype: torch.dtype, seed: int
) -> None:
    weight = random_weight((*shape[:-1], 2 * shape[-1]), dtype, seed)
    packed, unpack = normal_float4(weight, CPU, weight.dtype)
    again = unpack(packed)
    assert again.dtype == dtype
    assert again.shape == weight.shape
    assert packed.numel() * packed.element_size() == weight.numel() // 2
    widest = float(unpack.values.sort().values.diff().max()) / 2
    for block, back in zip(weight.flatten().split(64), again.flatten().split(64), strict=True):
        bound = float(block.abs().max()) * (widest + 2 * torch.finfo(torch.bfloat16).eps)
        assert float((back.float() - block.float()).abs().max()) <= bound


def tiny_diffusion_gemma(active_experts: int = 4) -> DiffusionGemmaForBlockDiffusion:
    """Four experts, all of which have a say, so that a rounding error switches none off."""
    torch.manual_seed(0)
    config = DiffusionGemmaConfig(
        canvas_length=16,
        text_config={
            "vocab_size": 128,
            "hidden_size": 64,
            "intermediate_size": 64,
            "moe_intermediate_size": 32,
            "num_experts": 4,
            "top_k_experts": active_experts,
            "num_hidden_layers": 2,
            "layer_types": ["sliding_attention", "full_attention"],
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "num_global_key_value_heads": 1,
            "head_dim": 16,
            "global_head_dim": 32,
            "sliding_window": 8,
            "max_position_embeddings": 256,
        },
        vision_config={
            "model_type": "gemma4_vision",
            "hidden_size": 16,
            "intermediate_size": 32,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
            "num_key_value_heads": 2,
            "head_dim": 8,
            "position_embedding_size": 64,
        },
    )
    return DiffusionGemmaForBlockDiffusion(config).eval()


def tiny_qwen2() -> Qwen2ForCausalLM:
    torch.manual_seed(0)
    config = Qwen2Config(
        vocab_size=128,
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        tie_word_embeddings=False,
    )
    return Qwen2ForCausalLM(config).eval()


@torch.no_grad()
def canvas_logits(model: DiffusionGemmaForBlockDiffusion) -> Tensor:
    """(16, vocab): a canvas behind a prompt, through encoder and decoder."""
    prompt, canvas = torch.arange(20)[None], torch.arange(100, 116)[None]
    return model(input_ids=prompt, decoder_input_ids=canvas).logits[0].float()


@torch.no_grad()
def text_logits(model: Qwen2ForCausalLM) -> Tensor:
    """(20, vocab)."""
    return model(input_ids=torch.arange(20)[None]).logits[0].float()


def relative_error(found: Tensor, expected: Tensor) -> float:
    return float((found - expected).norm() / expected.norm())


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize(("weights", "most"), [(Weights.INT8, 0.06), (Weights.INT4, 0.6)])
def test_quantised_models_predict_nearly_the_same(
    weights: Weights, most: float, dtype: torch.dtype
) -> None:
    """Weights by chance are the hardest case: nothing in them makes up for rounding errors."""
    gemma, qwen = tiny_diffusion_gemma().to(dtype), tiny_qwen2().to(dtype)
    in_full = canvas_logits(gemma), text_logits(qwen)
    quantise(gemma, weights, CPU)
    quantise(qwen, weights, CPU)
    assert 0 < relative_error(canvas_logits(gemma), in_full[0]) < most
    assert 0 < relative_error(text_logits(qwen), in_full[1]) < most


@pytest.mark.parametrize("weights", QUANTISED)
def test_a_quantised_model_computes_with_the_weights_that_it_shows(weights: Weights) -> None:
    """With the same rounded weights written into a full model, the outcome is exactly the same."""
    quantised, full = tiny_diffusion_gemma(2), tiny_diffusion_gemma(2)
    quantise(quantised, weights, CPU)
    with torch.no_grad():
        for name, module in full.named_modules():
            rounded = quantised.get_submodule(name)
            for own, parameter in module.named_parameters(recurse=False):
                parameter.copy_(getattr(rounded, own))
    torch.testing.assert_close(canvas_logits(quantised), canvas_logits(full), rtol=0, atol=0)


@pytest.mark.parametrize("weights", QUANTISED)
def test_a_whole_text_is_denoised_with_quantised_weights(weights: Weights) -> None:
    model = tiny_diffusion_gemma(2)
    quantise(model, weights, CPU)
    model.generation_config.eos_token_id = None
    torch.manual_seed(3)
    written = model.generate(torch.arange(20)[None], max_new_tokens=16, max_denoising_steps=4)
    assert written.sequences.shape == (1, 36)


@pytest.mark.parametrize("weights", QUANTISED)
def test_encoder_and_decoder_go_on_sharing_their_weights(weights: Weights) -> None:
    model = tiny_diffusion_gemma()
    quantise(model, weights, CPU)
    for first, second in zip(
        model.model.encoder.language_model.layers, model.model.decoder.layers, strict=True
    ):
        for path, name in (("experts", "gate_up_proj"), ("mlp.up_proj", "weight")):
            packed = [
                layer.get_submodule(path).parametrizations[name].original
                for layer in (first, second)
            ]
            assert packed[0] is packed[1]


def test_embeddings_heads_routers_and_norms_stay_in_full() -> None:
    for model in (tiny_diffusion_gemma(), tiny_qwen2()):
        quantise(model, Weights.INT8, CPU)
        for name, module in model.named_modules():
            quantised = is_parametrized(module)
            if name.endswith(("lm_head", "embed_tokens", "norm", "layernorm", "router.proj")):
                assert not quantised, name
            elif isinstance(module, nn.Linear) or name.endswith("experts"):
                assert quantised, name
    assert tiny_qwen2().lm_head.weight is not None


def test_quantised_weights_go_to_the_device_and_the_others_stay() -> None:
    model, elsewhere = tiny_qwen2(), torch.device("meta")
    quantise(model, Weights.INT8, elsewhere)
    assert model.model.layers[0].mlp.up_proj.parametrizations.weight.original.is_meta
    assert model.model.layers[0].mlp.up_proj.parametrizations.weight[0].scale.is_meta
    assert not model.lm_head.weight.is_meta


@pytest.mark.parametrize("weights", sorted(set(Weights) - set(QUANTISED)))
def test_full_weights_are_left_alone(weights: Weights) -> None:
    model = tiny_qwen2()
    before = {name: id(parameter) for name, parameter in model.named_parameters()}
    quantise(model, weights, CPU)
    assert {name: id(parameter) for name, parameter in model.named_parameters()} == before
    assert not is_quantised(weights)


@pytest.mark.parametrize("weights", QUANTISED)
def test_what_is_quantised_already_is_not_quantised_again(weights: Weights) -> None:
    model = tiny_diffusion_gemma()
    quantise(model, weights, CPU)
    size, logits = weight_bytes(model), canvas_logits(model)
    quantise(model, weights, CPU)
    assert weight_bytes(model) == size
    assert torch.equal(canvas_logits(model), logits)
    assert is_quantised(weights)


def test_four_bits_without_their_library_say_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "bitsandbytes", None)
    with pytest.raises(UsageError) as refused:
        quantise(tiny_qwen2(), Weights.INT4, CPU)
    assert "weights=int4 needs bitsandbytes" in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("weights", QUANTISED)
def test_what_is_computed_with_may_be_another_type_than_what_was_stored(weights: Weights) -> None:
    if weights is Weights.INT4:
        pytest.importorskip("bitsandbytes")
    stored, converted = tiny_qwen2().bfloat16(), tiny_qwen2().bfloat16().float()
    quantise(stored, weights, CPU, torch.float32)
    compute_in(stored, torch.float32)
    quantise(converted, weights, CPU)
    assert {p.dtype for p in stored.parameters()} == {p.dtype for p in converted.parameters()}
    torch.testing.assert_close(text_logits(stored), text_logits(converted), rtol=0, atol=1e-5)
