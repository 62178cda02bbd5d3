"""A transformer of `transformers`' own code, filled with the tensors of a checkpoint.

The published code is never run: it differs from the native architecture in what positions see,
which callers say with a mask, and in names.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from midfill.inference.errors import WeightsCorrupt
from midfill.inference.models.absorbing import attention
from midfill.inference.models.tensor_files import read_tensors
from midfill.inference.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from transformers import PreTrainedModel

    from midfill.inference.models.absorbing.shape import Shape
    from midfill.inference.models.tensor_files import StoredTensor
    from midfill.inference.progress import ProgressListener

HEAD = "lm_head.weight"
EMBEDDING = "model.embed_tokens.weight"

_RECOMPUTED = "rotary_emb.inv_freq"
"""Old checkpoints carry the rotary frequencies, which follow from the configuration."""


def empty_backbone(architecture: str, shape: Shape, *, tied: bool) -> PreTrainedModel:
    """A native model without memory behind its parameters.

    Args:
        architecture: qwen2, qwen3 or llama.
        shape: its dimensions.
        tied: whether the head is the embedding.
    """
    with torch.device("meta"):
        backbone = _native(architecture, shape, tied=tied)
    backbone.train(False)
    backbone.requires_grad_(False)
    return backbone


def _native(architecture: str, shape: Shape, *, tied: bool) -> PreTrainedModel:
    import transformers

    attention.register()
    fields: dict[str, Any] = {
        "hidden_size": shape.width,
        "intermediate_size": shape.inner_width,
        "num_hidden_layers": shape.layers,
        "num_attention_heads": shape.heads,
        "num_key_value_heads": shape.key_heads,
        "head_dim": shape.head_width,
        "vocab_size": shape.vocabulary,
        "max_position_embeddings": shape.positions,
        "rms_norm_eps": shape.norm_epsilon,
        "rope_parameters": {"rope_type": "default", "rope_theta": shape.rope_base},
        "tie_word_embeddings": tied,
        "hidden_act": "silu",
        "attention_dropout": 0.0,
        "attn_implementation": attention.NAME,
        "pad_token_id": None,
        "bos_token_id": None,
        "eos_token_id": None,
    }
    if architecture == "qwen2":
        return transformers.Qwen2ForCausalLM(transformers.Qwen2Config(**fields))
    if architecture == "qwen3":
        return transformers.Qwen3ForCausalLM(transformers.Qwen3Config(**fields))
    return transformers.LlamaForCausalLM(transformers.LlamaConfig(**fields))


def fill_backbone(
    backbone: PreTrainedModel,
    tensors: Sequence[StoredTensor],
    rename: Callable[[str], str],
    *,
    dtype: torch.dtype,
    device: torch.device,
    quantise: Callable[[nn.Module], None] | None,
    listener: ProgressListener,
) -> None:
    """Give each parameter its tensor; every one must have exactly one, of its shape.

    Tensors stay memory-mapped until their layer is converted, so that at most one layer is in
    memory twice.

    Args:
        backbone: from `empty_backbone`.
        tensors: of the checkpoint.
        rename: the native name of a published tensor.
        dtype, device: what to hold the weights as, and where.
        quantise: called with each layer as soon as it is in its place; changes its weights.
        listener: told how far it is.

    Raises:
        WeightsCorrupt: a tensor is missing, unexpected, or of another shape.
    """
    tied = backbone.config.tie_word_embeddings
    targets = _matched(backbone, tensors, rename, tied=tied)
    for tensor, values in read_tensors(tensors):
        if tensor.name in targets:
            _assign(backbone, targets[tensor.name], values)
    if tied:
        _assign(backbone, HEAD, backbone.get_parameter(EMBEDDING))
    layers = list(backbone.model.layers)
    for done, layer in enumerate(layers):
        listener(Progress("loading the model", done / len(layers)))
        layer.to(device=device, dtype=dtype)
        if quantise is not None:
            quantise(layer)
    for part in (backbone.model.embed_tokens, backbone.model.norm, backbone.lm_head):
        part.to(device=device, dtype=dtype)
    if tied:
        backbone.lm_head.weight = backbone.model.embed_tokens.weight
    # Its buffers are no parameters, and lose their meaning in less than float32.
    rotary = type(backbone.model.rotary_emb)
    backbone.model.rotary_emb = rotary(config=backbone.config).to(device)
    listener(Progress("loading the model", 1.0))


def _matched(
    backbone: PreTrainedModel,
    tensors: Sequence[StoredTensor],
    rename: Callable[[str], str],
    *,
    tied: bool,
) -> dict[str, str]:
    """The parameter that each tensor belongs to; rotary frequencies belong to none."""
    wanted = {name: tuple(p.shape) for name, p in backbone.named_parameters()}
    if tied:
        wanted.pop(HEAD, None)
    targets: dict[str, str] = {}
    unexpected: list[str] = []
    for tensor in tensors:
        target = rename(tensor.name)
        if tensor.name.endswith(_RECOMPUTED):
            continue
        shape = wanted.pop(target, None)
        if shape is None:
            unexpected.append(tensor.name)
            continue
        if shape != tensor.shape:
            raise WeightsCorrupt(
                f"tensor {tensor.name} has the shape {_by(tensor.shape)}, but config.json asks "
                f"for {_by(shape)}; they are not of the same model"
            )
        targets[tensor.name] = target
    if wanted:
        raise WeightsCorrupt(
            f"half a checkpoint: {_some(list(wanted))} missing from the weights; "
            "pull the model again"
        )
    if unexpected:
        raise WeightsCorrupt(
            f"the weights have {_some(unexpected)} that the model does not know; they are of "
            "another model"
        )
    return targets


def _some(names: Sequence[str]) -> str:
    others = f" and {len(names) - 1} more" if len(names) > 1 else ""
    return f"tensor {names[0]}{others}"


def _by(shape: Sequence[int]) -> str:
    return "×".join(map(str, shape)) or "()"


def _assign(backbone: PreTrainedModel, name: str, values: torch.Tensor) -> None:
    path, _, last = name.rpartition(".")
    setattr(backbone.get_submodule(path), last, nn.Parameter(values, requires_grad=False))
