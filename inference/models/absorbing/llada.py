"""LLaDA 8B and 1.5: Llama with the names of OLMo.

Source: ``configuration_llada.py`` and ``modeling_llada.py`` of GSAI-ML/LLaDA-8B-Base.
"""

from __future__ import annotations

import re

from midfill.inference.errors import WeightsCorrupt
from midfill.inference.models.absorbing.family import (
    Config,
    Family,
    Markers,
    real_number,
    whole_number,
)
from midfill.inference.models.absorbing.shape import Shape

_TOP = {
    "wte.weight": "model.embed_tokens.weight",
    "ln_f.weight": "model.norm.weight",
    "ff_out.weight": "lm_head.weight",
}

_IN_BLOCK = {
    "attn_norm": "input_layernorm",
    "ff_norm": "post_attention_layernorm",
    "q_proj": "self_attn.q_proj",
    "k_proj": "self_attn.k_proj",
    "v_proj": "self_attn.v_proj",
    "attn_out": "self_attn.o_proj",
    "ff_proj": "mlp.gate_proj",
    "up_proj": "mlp.up_proj",
    "ff_out": "mlp.down_proj",
}

_BLOCK = re.compile(r"blocks\.(\d+)\.(\w+)\.weight")

_ONLY: dict[str, tuple[object, ...]] = {
    "block_type": ("llama",),
    "activation_type": ("silu", "swiglu"),
    "layer_norm_type": ("rms",),
    "rope": (True,),
    "alibi": (False, None),
    "attention_layer_norm": (False, None),
    "bias_for_layer_norm": (False, None),
    "include_bias": (False,),
    "include_qkv_bias": (False, None),
    "input_emb_norm": (False, None),
    "scale_logits": (False, None),
}
"""What the published models have of all that the configuration could say."""


def _rename(name: str) -> str:
    inner = name.removeprefix("model.transformer.")
    if block := _BLOCK.fullmatch(inner):
        part = _IN_BLOCK.get(block[2])
        return f"model.layers.{block[1]}.{part}.weight" if part else name
    return _TOP.get(inner, name)


def _shape(config: Config) -> Shape:
    width, heads = whole_number(config, "d_model"), whole_number(config, "n_heads")
    if width % heads:
        raise WeightsCorrupt(f"config.json divides a width of {width} among {heads} heads")
    tied = config.get("weight_tying")
    return Shape(
        width=width,
        inner_width=whole_number(config, "mlp_hidden_size"),
        layers=whole_number(config, "n_layers"),
        heads=heads,
        key_heads=whole_number(config, "n_kv_heads", "n_heads"),
        head_width=width // heads,
        vocabulary=whole_number(config, "embedding_size", "vocab_size"),
        positions=whole_number(config, "max_sequence_length"),
        norm_epsilon=real_number(config, "rms_norm_eps"),
        rope_base=real_number(config, "rope_theta"),
        tied=tied if isinstance(tied, bool) else None,
    )


def _refusal(config: Config, folder: str) -> str | None:
    if "LLaDAMoEModelLM" in (config.get("architectures") or ()):
        return "it is a mixture of experts, which has no native architecture to be read into"
    for name, allowed in _ONLY.items():
        if config.get(name, allowed[0]) not in allowed:
            return f"config.json has {name} {str(config[name])[:40]!r}, which LLaDA 8B has not"
    return None


LLADA = Family(
    name="LLaDA",
    backbones={"llada": "llama"},
    shift=False,
    shape=_shape,
    markers=Markers(end="<|endoftext|>"),
    rename=_rename,
    refusal=_refusal,
)
