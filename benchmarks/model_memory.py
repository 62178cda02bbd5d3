"""What memory big models take with each kind of weights, and which graphics cards hold them.

Builds each model in its published size without any memory for it (on the meta device), quantises
it as the engine would, and adds up the bytes::

    python benchmarks/model_memory.py
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from transformers import (
    DiffusionGemmaConfig,
    DiffusionGemmaForBlockDiffusion,
    LlamaConfig,
    LlamaForCausalLM,
    Qwen2Config,
    Qwen2ForCausalLM,
)

from midfill.inference.fillers.diffusion_gemma import CACHE_BYTES, MOST_CONTEXT
from midfill.inference.models.diffusion_gemma.loading import FOR_THE_TASK
from midfill.inference.models.diffusion_gemma.model import ENCODE_CHUNK
from midfill.inference.models.diffusion_gemma.static_context import ROOM_STEP as STATIC_STEP
from midfill.inference.models.options import Options, Weights
from midfill.inference.models.quantised.memory import unpacking_bytes, weight_bytes
from midfill.inference.models.quantised.quantise import is_quantised, quantise
from midfill.inference.uniform.length_search import MOST_LOGITS

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import nn

META = torch.device("meta")
GIB = 2**30
CARDS = (8, 12, 16, 18, 24, 32, 48, 80)
"""GiB that graphics cards have."""

BESIDE = 1.5 * GIB
"""What the driver, a context of some thousand tokens and the values of a step take; a guess."""

DRIVER = 0.5 * GIB
"""What the driver and the libraries take of it; a guess, too."""

LOGITS_AT_ONCE = 6
"""How many copies of a canvas's logits there are at once in a step, at most; counted on the CPU."""

KINDS = (Weights.BFLOAT16, Weights.INT8, Weights.INT4)


def diffusion_gemma() -> nn.Module:
    """DiffusionGemma 26B-A4B as the engine holds it: without the tower for pictures."""
    config = DiffusionGemmaConfig(
        canvas_length=256,
        text_config={
            "dtype": "bfloat16",
            "vocab_size": 262144,
            "hidden_size": 2816,
            "intermediate_size": 2112,
            "moe_intermediate_size": 704,
            "num_experts": 128,
            "top_k_experts": 8,
            "num_hidden_layers": 30,
            "num_attention_heads": 16,
            "num_key_value_heads": 8,
            "num_global_key_value_heads": 2,
            "head_dim": 256,
            "global_head_dim": 512,
            "sliding_window": 1024,
            "max_position_embeddings": 262144,
        },
        # The smallest tower; without any configuration a large one would be built.
        vision_config={
            "model_type": "gemma4_vision",
            "hidden_size": 16,
            "intermediate_size": 16,
            "num_hidden_layers": 1,
            "num_attention_heads": 1,
            "num_key_value_heads": 1,
            "head_dim": 16,
            "position_embedding_size": 16,
        },
    )
    model = DiffusionGemmaForBlockDiffusion(config)
    model.model.encoder.vision_tower = None
    model.model.encoder.embed_vision = None
    return model


def dream() -> nn.Module:
    """Dream 7B, and what has its shape: Dream-Coder, DiffuCoder, DreamOn."""
    return Qwen2ForCausalLM(
        Qwen2Config(
            vocab_size=152064,
            hidden_size=3584,
            intermediate_size=18944,
            num_hidden_layers=28,
            num_attention_heads=28,
            num_key_value_heads=4,
            tie_word_embeddings=False,
        )
    )


def llada() -> nn.Module:
    """LLaDA 8B and 1.5."""
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=126464,
            hidden_size=4096,
            intermediate_size=12288,
            num_hidden_layers=32,
            num_attention_heads=32,
            num_key_value_heads=32,
            tie_word_embeddings=False,
        )
    )


def open_dcoder() -> nn.Module:
    """Open-dCoder 0.5B."""
    return Qwen2ForCausalLM(
        Qwen2Config(
            vocab_size=151936,
            hidden_size=896,
            intermediate_size=4864,
            num_hidden_layers=24,
            num_attention_heads=14,
            num_key_value_heads=2,
            tie_word_embeddings=True,
        )
    )


MODELS: dict[str, Callable[[], nn.Module]] = {
    "DiffusionGemma 26B-A4B": diffusion_gemma,
    "Dream, Dream-Coder, DiffuCoder, DreamOn 7B": dream,
    "LLaDA 8B": llada,
    "Open-dCoder 0.5B": open_dcoder,
}


def beside_diffusion_gemma(model: nn.Module) -> float:
    """Bytes beside the weights with the usual options, all windows full.

    The store of contexts, the copy of one that captured steps read, the driver, and the larger of
    what a chunk of the context and what a step takes while it is computed.

    Args:
        model: in full.
    """
    config, usual = model.config.get_text_config(), Options()
    tokens = usual.prefix_tokens + usual.suffix_tokens + MOST_CONTEXT + FOR_THE_TASK
    copied = encoding = 0
    for layer, kind in zip(model.model.decoder.layers, config.layer_types, strict=True):
        seen = min(tokens, config.sliding_window) if kind == "sliding_attention" else tokens
        each = 2 * layer.self_attn.k_proj.out_features * config.dtype.itemsize
        copied += -(-seen // STATIC_STEP) * STATIC_STEP * each
        encoding += (seen + ENCODE_CHUNK) * each
    step = LOGITS_AT_ONCE * max(usual.canvas * config.vocab_size, MOST_LOGITS) * 4
    return CACHE_BYTES + copied + DRIVER + max(encoding, step)


@dataclass(frozen=True, slots=True)
class Memory:
    """What a model takes.

    Attributes:
        model: its name.
        kind: what its weights are held as.
        weights: bytes of all of them.
        unpacked: bytes of the largest layer in full, while a quantised one is used.
        beside: bytes of all that is no weights.
    """

    model: str
    kind: Weights
    weights: int
    unpacked: int
    beside: float = BESIDE

    @property
    def total(self) -> float:
        """Bytes, with what is needed beside the weights."""
        return self.weights + self.unpacked + self.beside

    def fits(self, card: int) -> bool:
        """Whether a card with that many GiB holds it."""
        return self.total <= card * GIB


def on_meta(build: Callable[[], nn.Module]) -> nn.Module:
    """A model in bfloat16 that takes no memory."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.bfloat16)
    try:
        with META:
            return build()
    finally:
        torch.set_default_dtype(before)


def memory(name: str, kind: Weights) -> Memory:
    """Add up what a model takes with one kind of weights."""
    model = on_meta(MODELS[name])
    unpacked = unpacking_bytes(model, torch.bfloat16) if is_quantised(kind) else 0
    beside = beside_diffusion_gemma(model) if MODELS[name] is diffusion_gemma else BESIDE
    quantise(model, kind, META)
    return Memory(name, kind, weight_bytes(model), unpacked, beside)


def table(rows: list[Memory]) -> str:
    """Markdown: what each takes, and a mark for each card that holds it."""
    cards = [f"{card} GB" for card in CARDS]
    lines = [
        "| " + " | ".join(["model", "weights", "bytes", "GiB", "needs GiB", *cards]) + " |",
        "|---|---|--:|--:|--:|" + ":-:|" * len(cards),
    ]
    for row in rows:
        figures = [f"{row.weights:,}", f"{row.weights / GIB:.1f}", f"{row.total / GIB:.1f}"]
        marks = ["yes" if row.fits(card) else "–" for card in CARDS]
        lines.append("| " + " | ".join([row.model, str(row.kind), *figures, *marks]) + " |")
    return "\n".join(lines)


def main() -> None:
    print(table([memory(name, kind) for name in MODELS for kind in KINDS]))


if __name__ == "__main__":
    main()
