"""Tiny random checkpoints of the absorbing-mask family, laid out as the real ones are published."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import torch
from safetensors.torch import save_file

from midfill.inference.tokenizer import PRE_TOKENIZER, byte_alphabet

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from torch import Tensor

WIDTH, INNER, LAYERS, HEADS, KEY_HEADS = 32, 48, 2, 4, 2
VOCABULARY = 320
"""Rows of the embedding; as in the real ones there are more than tokens."""

MERGES = [("Ġ", "a"), ("i", "n"), ("in", "t"), ("Ġ", "Ġ"), ("ĠĠ", "ĠĠ"), ("r", "e")]

END, IM_START, IM_END, FIM, BOS, MASK, EXPAND = 290, 291, 292, 293, 305, 306, 307
"""Ids of markers, with a gap in front of them and among them."""

QWEN_MARKERS = {
    "<|endoftext|>": END,
    "<|im_start|>": IM_START,
    "<|im_end|>": IM_END,
    "<|fim_middle|>": FIM,
}


@dataclass(frozen=True)
class Tiny:
    """A checkpoint that is yet to be written.

    Attributes:
        config: its ``config.json``.
        markers: its special tokens.
        tensors: by their published names.
        head_width: of the attention.
        older_tokenizer: whether there is no ``tokenizer.json``.
        generation: its ``generation_config.json``, if any.
        only_added: markers that stand in ``added_tokens.json`` alone.
    """

    config: dict[str, Any]
    markers: dict[str, int]
    tensors: dict[str, Tensor]
    head_width: int = WIDTH // HEADS
    older_tokenizer: bool = False
    generation: dict[str, Any] = field(default_factory=dict)
    only_added: tuple[str, ...] = ()

    def with_config(self, **fields: object) -> Tiny:
        return replace(self, config={**self.config, **fields})

    def write(self, folder: Path, *, shards: int = 1) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "config.json").write_text(json.dumps(self.config))
        if self.generation:
            (folder / "generation_config.json").write_text(json.dumps(self.generation))
        write_tokenizer(
            folder, self.markers, older=self.older_tokenizer, only_added=self.only_added
        )
        write_tensors(folder, self.tensors, shards)
        return folder


def write_tensors(folder: Path, tensors: Mapping[str, Tensor], shards: int = 1) -> None:
    """One file, or several and their index."""
    if shards == 1:
        save_file(dict(tensors), folder / "model.safetensors", metadata={"format": "pt"})
        return
    index: dict[str, str] = {}
    for shard in range(shards):
        name = f"model-{shard + 1:05}-of-{shards:05}.safetensors"
        part = dict(list(tensors.items())[shard::shards])
        save_file(part, folder / name, metadata={"format": "pt"})
        index.update(dict.fromkeys(part, name))
    total = sum(tensor.nbytes for tensor in tensors.values())
    (folder / "model.safetensors.index.json").write_text(
        json.dumps({"metadata": {"total_size": total}, "weight_map": index})
    )


def write_tokenizer(
    folder: Path,
    markers: Mapping[str, int],
    *,
    older: bool = False,
    only_added: tuple[str, ...] = (),
) -> None:
    """A byte-level tokenizer as Qwen2 has it, with a few merges."""
    vocabulary = {char: byte for byte, char in enumerate(byte_alphabet())}
    for left, right in MERGES:
        vocabulary[left + right] = len(vocabulary)
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False}
    config: dict[str, Any] = {"add_bos_token": False, "model_max_length": 131072}
    if "<|endoftext|>" in markers:
        config["eos_token"] = "<|endoftext|>"
    in_library = {text: token for text, token in markers.items() if text not in only_added}
    if only_added or older:
        (folder / "added_tokens.json").write_text(json.dumps(dict(markers)))
    if older:
        (folder / "vocab.json").write_text(json.dumps(vocabulary))
        lines = ["#version: 0.2", *(f"{left} {right}" for left, right in MERGES), ""]
        (folder / "merges.txt").write_text("\n".join(lines), "utf-8")
        config["added_tokens_decoder"] = {
            str(token): {"content": text, **flags, "special": "fim" not in text}
            for text, token in in_library.items()
        }
    else:
        (folder / "tokenizer.json").write_text(
            json.dumps(
                {
                    "version": "1.0",
                    "truncation": {
                        "max_length": 4,
                        "strategy": "LongestFirst",
                        "stride": 0,
                        "direction": "Right",
                    },
                    "padding": None,
                    "added_tokens": [
                        {"id": token, "content": text, **flags, "special": "fim" not in text}
                        for text, token in in_library.items()
                    ],
                    "normalizer": {"type": "NFC"},
                    "pre_tokenizer": {
                        "type": "Sequence",
                        "pretokenizers": [
                            {
                                "type": "Split",
                                "pattern": {"Regex": PRE_TOKENIZER},
                                "behavior": "Isolated",
                                "invert": False,
                            },
                            {
                                "type": "ByteLevel",
                                "add_prefix_space": False,
                                "trim_offsets": True,
                                "use_regex": False,
                            },
                        ],
                    },
                    "post_processor": {
                        "type": "ByteLevel",
                        "add_prefix_space": False,
                        "trim_offsets": True,
                        "use_regex": False,
                    },
                    "decoder": {
                        "type": "ByteLevel",
                        "add_prefix_space": False,
                        "trim_offsets": False,
                        "use_regex": False,
                    },
                    "model": {"type": "BPE", "vocab": vocabulary, "merges": MERGES},
                },
                ensure_ascii=False,
            ),
            "utf-8",
        )
    (folder / "tokenizer_config.json").write_text(json.dumps(config))


def _random(shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    """Weights of a size that lets every part show in the logits."""
    values = torch.randn(shape, generator=generator)
    return 1 + 0.3 * values if len(shape) == 1 else values * shape[-1] ** -0.5


def qwen_tensors(
    *, biases: bool, head_norms: bool, head: bool, head_width: int = WIDTH // HEADS, seed: int = 7
) -> dict[str, Tensor]:
    """The tensors of a Qwen2 (biases) or Qwen3 (head norms)."""
    query, key = HEADS * head_width, KEY_HEADS * head_width
    shapes: dict[str, tuple[int, ...]] = {"model.embed_tokens.weight": (VOCABULARY, WIDTH)}
    for i in range(LAYERS):
        layer = f"model.layers.{i}."
        shapes[f"{layer}input_layernorm.weight"] = (WIDTH,)
        for name, width in (("q", query), ("k", key), ("v", key)):
            shapes[f"{layer}self_attn.{name}_proj.weight"] = (width, WIDTH)
            if biases:
                shapes[f"{layer}self_attn.{name}_proj.bias"] = (width,)
        if head_norms:
            shapes[f"{layer}self_attn.q_norm.weight"] = (head_width,)
            shapes[f"{layer}self_attn.k_norm.weight"] = (head_width,)
        shapes[f"{layer}self_attn.o_proj.weight"] = (WIDTH, query)
        shapes[f"{layer}post_attention_layernorm.weight"] = (WIDTH,)
        shapes[f"{layer}mlp.gate_proj.weight"] = (INNER, WIDTH)
        shapes[f"{layer}mlp.up_proj.weight"] = (INNER, WIDTH)
        shapes[f"{layer}mlp.down_proj.weight"] = (WIDTH, INNER)
    shapes["model.norm.weight"] = (WIDTH,)
    if head:
        shapes["lm_head.weight"] = (VOCABULARY, WIDTH)
    generator = torch.Generator().manual_seed(seed)
    return {name: _random(shape, generator) for name, shape in shapes.items()}


def llada_tensors(seed: int = 8) -> dict[str, Tensor]:
    """The tensors of a LLaDA, which has as many key heads as heads."""
    top = "model.transformer."
    shapes: dict[str, tuple[int, ...]] = {f"{top}wte.weight": (VOCABULARY, WIDTH)}
    for i in range(LAYERS):
        block = f"{top}blocks.{i}."
        for name in ("q_proj", "k_proj", "v_proj", "attn_out"):
            shapes[f"{block}{name}.weight"] = (WIDTH, WIDTH)
        for name in ("attn_norm", "ff_norm"):
            shapes[f"{block}{name}.weight"] = (WIDTH,)
        for name in ("ff_proj", "up_proj"):
            shapes[f"{block}{name}.weight"] = (INNER, WIDTH)
        shapes[f"{block}ff_out.weight"] = (WIDTH, INNER)
    shapes[f"{top}ln_f.weight"] = (WIDTH,)
    shapes[f"{top}ff_out.weight"] = (VOCABULARY, WIDTH)
    generator = torch.Generator().manual_seed(seed)
    return {name: _random(shape, generator) for name, shape in shapes.items()}


def _qwen_config(model_type: str, architecture: str, auto_map: dict[str, str]) -> dict[str, Any]:
    return {
        "architectures": [architecture],
        "auto_map": auto_map,
        "model_type": model_type,
        "attention_dropout": 0.0,
        "bos_token_id": END,
        "eos_token_id": END,
        "hidden_act": "silu",
        "hidden_size": WIDTH,
        "initializer_range": 0.02,
        "intermediate_size": INNER,
        "max_position_embeddings": 131072,
        "max_window_layers": LAYERS,
        "num_attention_heads": HEADS,
        "num_hidden_layers": LAYERS,
        "num_key_value_heads": KEY_HEADS,
        "rms_norm_eps": 1e-06,
        "rope_scaling": None,
        "rope_theta": 1000000.0,
        "sliding_window": None,
        "tie_word_embeddings": False,
        "torch_dtype": "bfloat16",
        "transformers_version": "4.46.2",
        "use_cache": True,
        "use_sliding_window": False,
        "vocab_size": VOCABULARY,
    }


def dream() -> Tiny:
    """Dream-org/Dream-v0-Instruct-7B and Dream-Coder."""
    config = _qwen_config(
        "Dream",
        "DreamModel",
        {
            "AutoConfig": "configuration_dream.DreamConfig",
            "AutoModel": "modeling_dream.DreamModel",
        },
    )
    config |= {"mask_token_id": MASK, "pad_token_id": END, "use_mrope": False}
    return Tiny(
        config,
        {**QWEN_MARKERS, "<|beginoftext|>": BOS, "<|mask|>": MASK},
        qwen_tensors(biases=True, head_norms=False, head=True),
        older_tokenizer=True,
        generation={"eos_token_id": END, "mask_token_id": MASK, "pad_token_id": END},
    )


def diffucoder() -> Tiny:
    """apple/DiffuCoder-7B-Instruct, whose padding has a token of its own."""
    model = dream()
    return replace(model, markers={**model.markers, "<|dlm_pad|>": 308})


def dreamon(*, ids_in_generation_config: bool = True) -> Tiny:
    """Dream-org/DreamOn-v0-7B."""
    model = dream()
    ids = {"expand_token_id": EXPAND, "delete_token_id": END} if ids_in_generation_config else {}
    return replace(
        model,
        markers={**model.markers, "<|expand|>": EXPAND},
        generation={**model.generation, **ids},
    )


def open_dcoder() -> Tiny:
    """fredzzp/open-dcoder-0.5B: its mask stands in ``added_tokens.json`` alone."""
    config = _qwen_config(
        "qwen2",
        "Qwen2ForCausalLM",
        {"AutoModelForCausalLM": "modeling_qwen2.Qwen2ForCausalLM"},
    )
    config |= {"tie_word_embeddings": True, "max_position_embeddings": 32768}
    return Tiny(
        config,
        {**QWEN_MARKERS, "<M>": BOS},
        qwen_tensors(biases=True, head_norms=False, head=False),
        only_added=("<M>",),
    )


def coda(*, tied: bool = False) -> Tiny:
    """Salesforce/CoDA-v0-Instruct: heads are not as wide as the states say."""
    config = _qwen_config(
        "CoDA",
        "CoDALanguageModel",
        {
            "AutoConfig": "model_config.CoDAConfig",
            "AutoModel": "modeling_coda.CoDALanguageModel",
        },
    )
    del config["tie_word_embeddings"]
    config |= {
        "attention_bias": False,
        "eos_token_id": IM_END,
        "head_dim": 16,
        "mask_token_id": 309,
        "max_position_embeddings": 40960,
        "pad_token_id": END,
    }
    return Tiny(
        config,
        {**QWEN_MARKERS, "<|mask|>": 309},
        qwen_tensors(biases=False, head_norms=True, head=not tied, head_width=16),
        head_width=16,
    )


def tiny_a2d(backbone: str) -> Tiny:
    """dllm-hub's ``mdlm`` checkpoints: tied by their configuration, and yet with a head."""
    qwen3 = backbone == "qwen3"
    width = 16 if qwen3 else WIDTH // HEADS
    config = _qwen_config(
        f"a2d-{backbone}",
        "A2DQwen3LMHeadModel" if qwen3 else "A2DQwen2LMHeadModel",
        {"AutoConfig": f"modeling_{backbone}.A2DConfig"},
    )
    config |= {
        "dtype": "bfloat16",
        "eos_token_id": IM_END,
        "layer_types": ["full_attention"] * LAYERS,
        "max_position_embeddings": 32768,
        "tie_word_embeddings": True,
    }
    if qwen3:
        config |= {"head_dim": width, "attention_bias": False}
    return Tiny(
        config,
        {**QWEN_MARKERS, "<|mask|>": 309},
        qwen_tensors(biases=not qwen3, head_norms=qwen3, head=True, head_width=width),
        head_width=width,
    )


def llada() -> Tiny:
    """GSAI-ML/LLaDA-8B-Instruct and LLaDA-1.5."""
    config: dict[str, Any] = {
        "activation_type": "silu",
        "alibi": False,
        "alibi_bias_max": 8.0,
        "architectures": ["LLaDAModelLM"],
        "attention_dropout": 0.0,
        "attention_layer_norm": False,
        "attention_layer_norm_with_affine": True,
        "auto_map": {
            "AutoConfig": "configuration_llada.LLaDAConfig",
            "AutoModel": "modeling_llada.LLaDAModelLM",
            "AutoModelForCausalLM": "modeling_llada.LLaDAModelLM",
        },
        "bias_for_layer_norm": False,
        "block_group_size": 1,
        "block_type": "llama",
        "d_model": WIDTH,
        "embedding_dropout": 0.0,
        "embedding_size": VOCABULARY,
        "eos_token_id": END,
        "flash_attention": False,
        "include_bias": False,
        "include_qkv_bias": False,
        "init_device": "meta",
        "input_emb_norm": False,
        "layer_norm_type": "rms",
        "layer_norm_with_affine": True,
        "mask_token_id": MASK,
        "max_sequence_length": 4096,
        "mlp_hidden_size": INNER,
        "mlp_ratio": 4,
        "model_type": "llada",
        "multi_query_attention": None,
        "n_heads": HEADS,
        "n_kv_heads": HEADS,
        "n_layers": LAYERS,
        "pad_token_id": END,
        "precision": "amp_bf16",
        "residual_dropout": 0.0,
        "rms_norm_eps": 1e-05,
        "rope": True,
        "rope_full_precision": True,
        "rope_theta": 500000.0,
        "scale_logits": False,
        "transformers_version": "4.46.3",
        "use_cache": False,
        "vocab_size": VOCABULARY,
        "weight_tying": False,
    }
    return Tiny(
        config,
        {"<|startoftext|>": 289, "<|endoftext|>": END, "<|eot_id|>": 308, "<|mdm_mask|>": MASK},
        llada_tensors(),
    )


MODELS = {
    "Dream": dream(),
    "DiffuCoder": diffucoder(),
    "DreamOn": dreamon(),
    "Open-dCoder": open_dcoder(),
    "LLaDA": llada(),
    "CoDA": coda(),
    "CoDA, tied": coda(tied=True),
    "Tiny-A2D of Qwen2.5": tiny_a2d("qwen2"),
    "Tiny-A2D of Qwen3": tiny_a2d("qwen3"),
}
"""One of each."""
