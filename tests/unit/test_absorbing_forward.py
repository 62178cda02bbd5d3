"""Each family's logits are those of a forward pass written down from its formulas alone."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import tiny_absorbing as tiny
import torch
import torch.nn.functional as F

from midfill.inference.models.absorbing.checkpoint import read_checkpoint

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from torch import Tensor, nn
    from transformers import PreTrainedModel

    from midfill.inference.models.absorbing.checkpoint import AbsorbingCheckpoint
    from midfill.inference.progress import Progress

IDS = torch.tensor([[5, 44, 260, tiny.MASK, tiny.MASK, 7, 99, 261, 3]])


def load(folder: Path, dtype: torch.dtype = torch.float32) -> AbsorbingCheckpoint:
    return read_checkpoint(folder, dtype=dtype, device=torch.device("cpu"))


def logits_of(backbone: PreTrainedModel, ids: Tensor) -> Tensor:
    everybody = torch.ones(1, 1, ids.shape[1], ids.shape[1], dtype=torch.bool)
    with torch.inference_mode():
        found: Tensor = backbone(input_ids=ids, attention_mask=everybody, use_cache=False).logits
    return found


def rms(states: Tensor, weight: Tensor, epsilon: float) -> Tensor:
    return states * (states.pow(2).mean(-1, keepdim=True) + epsilon).rsqrt() * weight


def rotated(heads: Tensor, base: float) -> Tensor:
    """Dimension i turns with dimension i + width/2, by position / base^(2i/width).

    Args:
        heads: (heads, positions, width).
        base: of the angles.
    """
    positions, width = heads.shape[-2:]
    angles = torch.arange(positions)[:, None] * base ** (-2 * torch.arange(width // 2) / width)
    first, second = heads.chunk(2, dim=-1)
    cos, sin = angles.cos(), angles.sin()
    return torch.cat((first * cos - second * sin, second * cos + first * sin), dim=-1)


def attended(
    states: Tensor, weights: Mapping[str, Tensor], at: str, model: tiny.Tiny, epsilon: float
) -> Tensor:
    """Everybody looks at everybody; q, k and v may have biases, or norms for each head."""
    base = model.config["rope_theta"]
    parts = []
    for name in "qkv":
        bias = weights.get(f"{at}{name}_proj.bias")
        part = states @ weights[f"{at}{name}_proj.weight"].T
        part = (part if bias is None else part + bias).unflatten(-1, (-1, model.head_width))
        if (norm := weights.get(f"{at}{name}_norm.weight")) is not None:
            part = rms(part, norm, epsilon)
        part = part.transpose(0, 1)
        part = part if name == "v" else rotated(part, base)
        parts.append(part.repeat_interleave(tiny.HEADS // part.shape[0], dim=0))
    query, key, value = parts
    chances = torch.softmax(query @ key.transpose(1, 2) * model.head_width**-0.5, dim=-1)
    return (chances @ value).transpose(0, 1).flatten(1)


def plain_qwen(model: tiny.Tiny, ids: Tensor) -> Tensor:
    """Logits of a Qwen2 or Qwen3 that sees both sides, (1, positions, vocabulary)."""
    weights, epsilon = model.tensors, model.config["rms_norm_eps"]
    embedding = weights["model.embed_tokens.weight"]
    states = embedding[ids[0]]
    for i in range(tiny.LAYERS):
        at = f"model.layers.{i}."
        x = rms(states, weights[f"{at}input_layernorm.weight"], epsilon)
        found = attended(x, weights, f"{at}self_attn.", model, epsilon)
        states = states + found @ weights[f"{at}self_attn.o_proj.weight"].T
        x = rms(states, weights[f"{at}post_attention_layernorm.weight"], epsilon)
        gate = F.silu(x @ weights[f"{at}mlp.gate_proj.weight"].T)
        up = x @ weights[f"{at}mlp.up_proj.weight"].T
        states = states + (gate * up) @ weights[f"{at}mlp.down_proj.weight"].T
    states = rms(states, weights["model.norm.weight"], epsilon)
    return (states @ weights.get("lm_head.weight", embedding).T)[None]


def plain_llada(model: tiny.Tiny, ids: Tensor) -> Tensor:
    """Logits of a LLaDA, by its published names, (1, positions, vocabulary)."""
    weights, epsilon = model.tensors, model.config["rms_norm_eps"]
    top = "model.transformer."
    states = weights[f"{top}wte.weight"][ids[0]]
    for i in range(tiny.LAYERS):
        at = f"{top}blocks.{i}."
        x = rms(states, weights[f"{at}attn_norm.weight"], epsilon)
        states = (
            states + attended(x, weights, at, model, epsilon) @ weights[f"{at}attn_out.weight"].T
        )
        x = rms(states, weights[f"{at}ff_norm.weight"], epsilon)
        gated = F.silu(x @ weights[f"{at}ff_proj.weight"].T) * (
            x @ weights[f"{at}up_proj.weight"].T
        )
        states = states + gated @ weights[f"{at}ff_out.weight"].T
    states = rms(states, weights[f"{top}ln_f.weight"], epsilon)
    return (states @ weights[f"{top}ff_out.weight"].T)[None]


@pytest.mark.parametrize("name", tiny.MODELS)
def test_logits_are_those_of_the_formulas(name: str, tmp_path: Path) -> None:
    model = tiny.MODELS[name]
    plain = plain_llada if name == "LLaDA" else plain_qwen

    loaded = load(model.write(tmp_path, shards=3 if name == "Dream" else 1))

    expected = plain(model, IDS)
    assert expected.std() > 0.3
    torch.testing.assert_close(logits_of(loaded.backbone, IDS), expected, atol=1e-5, rtol=1e-5)


def test_slots_see_what_stands_behind_them(tmp_path: Path) -> None:
    backbone = load(tiny.dream().write(tmp_path)).backbone
    other = IDS.clone()
    other[0, -1] = 200

    difference = (logits_of(backbone, IDS) - logits_of(backbone, other)).abs().amax(-1)[0]

    assert bool((difference > 1e-4).all())


def test_a_stored_head_is_used_though_the_configuration_says_tied(tmp_path: Path) -> None:
    model = tiny.tiny_a2d("qwen2")

    backbone = load(model.write(tmp_path)).backbone

    assert torch.equal(backbone.lm_head.weight, model.tensors["lm_head.weight"])
    assert not torch.equal(backbone.lm_head.weight, backbone.model.embed_tokens.weight)


def test_without_a_stored_head_it_is_the_embedding_itself(tmp_path: Path) -> None:
    backbone = load(tiny.open_dcoder().write(tmp_path)).backbone

    assert backbone.lm_head.weight is backbone.model.embed_tokens.weight


def test_the_model_is_as_it_has_to_be_for_inference(tmp_path: Path) -> None:
    backbone = load(tiny.coda().write(tmp_path)).backbone

    assert not backbone.training
    assert not any(parameter.requires_grad for parameter in backbone.parameters())
    assert {t.device.type for t in (*backbone.parameters(), *backbone.buffers())} == {"cpu"}
    assert type(backbone).__module__ == "transformers.models.qwen3.modeling_qwen3"


def test_positions_keep_their_precision_in_bfloat16(tmp_path: Path) -> None:
    backbone = load(tiny.dream().write(tmp_path), torch.bfloat16).backbone

    width = tiny.WIDTH // tiny.HEADS
    expected = 1e6 ** (-2 * torch.arange(width // 2) / width)
    assert {parameter.dtype for parameter in backbone.parameters()} == {torch.bfloat16}
    torch.testing.assert_close(backbone.model.rotary_emb.inv_freq, expected)


def test_weights_of_the_wanted_type_stay_memory_mapped(tmp_path: Path) -> None:
    folder = tiny.dream().write(tmp_path)

    backbone = load(folder).backbone

    maps = [line for line in open("/proc/self/maps") if "model.safetensors" in line]  # noqa: PTH123, SIM115
    start = backbone.lm_head.weight.data_ptr()
    ranges = [[int(end, 16) for end in line.split()[0].split("-")] for line in maps]
    assert any(low <= start < high for low, high in ranges)


def test_old_rotary_buffers_are_passed_over(tmp_path: Path) -> None:
    model = tiny.dream()
    buffers = {f"model.layers.{i}.self_attn.rotary_emb.inv_freq": torch.ones(4) for i in range(2)}

    loaded = load(replace(model, tensors={**model.tensors, **buffers}).write(tmp_path))

    torch.testing.assert_close(logits_of(loaded.backbone, IDS), plain_qwen(model, IDS))


def test_rotary_base_may_be_written_as_new_releases_write_it(tmp_path: Path) -> None:
    model = tiny.dream()
    config = {key: value for key, value in model.config.items() if not key.startswith("rope")}
    config["rope_parameters"] = {"rope_type": "default", "rope_theta": 1000000.0}

    loaded = load(replace(model, config=config).write(tmp_path))

    torch.testing.assert_close(logits_of(loaded.backbone, IDS), plain_qwen(model, IDS))


def test_layers_are_quantised_one_by_one_while_loading(tmp_path: Path) -> None:
    folder = tiny.dream().write(tmp_path)
    events: list[str] = []

    def quantise(layer: nn.Module) -> None:
        events.append(type(layer).__name__)

    def listen(progress: Progress) -> None:
        events.append(f"{progress.fraction:.1f}")

    read_checkpoint(
        folder,
        dtype=torch.float32,
        device=torch.device("cpu"),
        listener=listen,
        quantisation=quantise,
    )

    assert events == ["0.0", "Qwen2DecoderLayer", "0.5", "Qwen2DecoderLayer", "1.0"]
