"""A DiffusionGemma of seventy thousand random weights, and a tokenizer of Gemma's kind."""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING

import torch
from transformers import DiffusionGemmaConfig, DiffusionGemmaForBlockDiffusion

from midfill.inference.models.diffusion_gemma.model import DiffusionGemma

if TYPE_CHECKING:
    from pathlib import Path

    from midfill.inference.fillers.diffusion_gemma import DiffusionGemmaFiller

MARKERS = ("<pad>", "<eos>", "<bos>", "<unk>", "<mask>")
TURN_MARKERS = ("<|turn>", "<turn|>", "<|channel>", "<channel|>", "<|image>", "<image|>")
WORDS = ("return", "def", "self", "import", "value", "total", "middle", "▁▁", "▁=", "▁+", "():")

SLIDING_WINDOW = 24
VOCABULARY = 384


def tiny_config(**text: object) -> DiffusionGemmaConfig:
    """The smallest configuration with a layer of each kind; its window is shorter than prompts."""
    return DiffusionGemmaConfig(
        text_config={
            "vocab_size": VOCABULARY,
            "hidden_size": 32,
            "intermediate_size": 64,
            "num_hidden_layers": 2,
            "layer_types": ["sliding_attention", "full_attention"],
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "head_dim": 8,
            "global_head_dim": 16,
            "num_global_key_value_heads": 1,
            "sliding_window": SLIDING_WINDOW,
            "num_experts": 4,
            "top_k_experts": 2,
            "moe_intermediate_size": 16,
            "max_position_embeddings": 4096,
            "pad_token_id": 0,
            "eos_token_id": 1,
            "bos_token_id": 2,
            **text,
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
        canvas_length=16,
        image_token_id=380,
        boi_token_id=381,
        eoi_token_id=382,
        attn_implementation="sdpa",
    )


def tiny_network(sharpness: float = 1.0, **text: object) -> DiffusionGemmaForBlockDiffusion:
    """Random weights, the same each time.

    Args:
        sharpness: what the embedding is multiplied with. From about 20 on the model is sure of what
            it writes, so that slots are accepted and canvases become stable.
    """
    torch.manual_seed(0)
    network = DiffusionGemmaForBlockDiffusion(tiny_config(**text)).eval()
    with torch.no_grad():
        for name, weights in network.model.decoder.named_parameters():
            if weights.dim() > 1 and "embed" not in name:
                weights *= 6.0  # published initial weights hardly look at the context
        network.model.decoder.embed_tokens.weight *= sharpness
    return network


@cache
def tiny_model(sharpness: float = 1.0) -> DiffusionGemma:
    return DiffusionGemma(tiny_network(sharpness))


def tiny_tokenizer_json(*, without: tuple[str, ...] = ()) -> str:
    """Byte fallback, spaces as ``▁``, a few merges, and Gemma 4's markers."""
    vocabulary: dict[str, int] = {marker: i for i, marker in enumerate(MARKERS)}
    markers = dict(vocabulary)

    def add(text: str) -> None:
        vocabulary.setdefault(text, len(vocabulary))

    for byte in range(256):
        add(f"<0x{byte:02X}>")
    for character in "▁\nabcdefghijklmnopqrstuvwxyz=+():<>/":
        add(character)
    merges = []
    for word in WORDS:
        for end in range(2, len(word) + 1):
            merges.append([word[: end - 1], word[end - 1]])
            add(word[:end])
    for marker in TURN_MARKERS:
        markers[marker] = len(vocabulary)
        add(marker)
    assert len(vocabulary) <= VOCABULARY - 4
    return json.dumps(
        {
            "version": "1.0",
            "added_tokens": [
                {
                    "id": token,
                    "content": marker,
                    "special": True,
                    "single_word": False,
                    "lstrip": False,
                    "rstrip": False,
                    "normalized": False,
                }
                for marker, token in markers.items()
                if marker not in without
            ],
            "normalizer": {"type": "Replace", "pattern": {"String": " "}, "content": "▁"},
            "pre_tokenizer": None,
            "post_processor": None,
            "decoder": None,
            "model": {
                "type": "BPE",
                "vocab": {t: i for t, i in vocabulary.items() if t not in without},
                "merges": merges,
                "byte_fallback": True,
                "unk_token": "<unk>",
            },
        },
        ensure_ascii=False,
    )


def write_tiny(folder: Path, sharpness: float = 1.0, **text: object) -> Path:
    """A model's folder as it is published."""
    tiny_network(sharpness, **text).save_pretrained(folder)
    (folder / "tokenizer.json").write_text(tiny_tokenizer_json())
    return folder


def tiny_filler(folder: Path) -> DiffusionGemmaFiller:
    """One with canvases of 32 slots and four steps, its model written to a folder first."""
    from midfill.inference.fillers.diffusion_gemma import open_diffusion_gemma
    from midfill.inference.models.options import Options, Weights
    from midfill.inference.models.reference import ModelReference, Place
    from midfill.inference.progress import nobody_listens

    write_tiny(folder, sharpness=20.0)
    options = Options(canvas=32, steps=4, weights=Weights.FLOAT32)
    reference = ModelReference("tiny", Place.FOLDER, str(folder), "", options)
    return open_diffusion_gemma(folder, reference, torch.device("cpu"), nobody_listens)
