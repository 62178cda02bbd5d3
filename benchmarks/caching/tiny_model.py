"""A small fully bidirectional model of bytes, trained here and now to fill holes in Python code.

Written as a checkpoint in Dream's published layout, so that it is read by the same code as a
published one. The training is that of an absorbing-mask model: some bytes of a hole are masked, and
what stood there is predicted from everything else (LLaDA, arXiv 2502.09992).
"""

from __future__ import annotations

import json
import random
import sysconfig
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

import torch
from safetensors.torch import save_file
from torch.nn import functional as F
from transformers import Qwen2Config, Qwen2ForCausalLM

from midfill.inference.tokenizer import byte_alphabet

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from torch import Tensor

WINDOW = 128
"""Bytes of a training example."""

LONGEST_HOLE = 32
BATCH = 24
WIDTH, LAYERS, HEADS, FEED_FORWARD = 128, 3, 4, 384
LEARNING_RATE = 4e-3
END, MASK, BOS, VOCABULARY = 256, 257, 258, 264
HELD_OUT = 10
"""Of so many files one is kept for measuring."""

CONFIG = {
    "model_type": "Dream",
    "architectures": ["DreamModel"],
    "vocab_size": VOCABULARY,
    "hidden_size": WIDTH,
    "intermediate_size": FEED_FORWARD,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": HEADS,
    "num_key_value_heads": HEADS,
    "max_position_embeddings": 1024,
    "rms_norm_eps": 1e-6,
    "rope_theta": 1e6,
    "tie_word_embeddings": False,
    "hidden_act": "silu",
    "mask_token_id": MASK,
    "eos_token_id": END,
    "pad_token_id": END,
    "bos_token_id": BOS,
}
MARKERS = {"<|endoftext|>": END, "<|mask|>": MASK, "<|beginoftext|>": BOS}


def python_files() -> tuple[list[bytes], list[bytes]]:
    """Source of Python's own library: to train on, and held out."""
    folder = Path(sysconfig.get_path("stdlib"))
    paths = sorted(path for path in folder.glob("*.py") if path.stat().st_size > 4 * WINDOW)
    texts = [path.read_bytes() for path in paths]
    held_out = texts[::HELD_OUT]
    return [text for i, text in enumerate(texts) if i % HELD_OUT], held_out


def train(folder: Path, seconds: float, seed: int, listener: Callable[[str], None]) -> Path:
    """Train for so many seconds and write the checkpoint.

    Returns:
        The folder.
    """
    torch.manual_seed(seed)
    model = Qwen2ForCausalLM(_native_config())
    optimiser = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE, betas=(0.9, 0.98))
    started, spoke, step, loss_sum = monotonic(), monotonic(), 0, 0.0
    for tokens, masked in _examples(python_files()[0], random.Random(seed)):
        share = (monotonic() - started) / seconds
        if share >= 1:
            break
        for group in optimiser.param_groups:
            group["lr"] = LEARNING_RATE * min(1.0, (step + 1) / 50) * max(0.05, 1 - share)
        loss = _loss(model, tokens, masked)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        step, loss_sum = step + 1, 0.98 * loss_sum + 0.02 * float(loss.detach())
        if monotonic() - spoke > 20:
            spoke = monotonic()
            mean = loss_sum / (1 - 0.98**step)
            listener(f"training: {100 * share:.0f} %, {step} steps, {mean:.2f} nats a byte")
    listener(f"trained {step} steps in {monotonic() - started:.0f} s")
    return _write(model, folder)


def _native_config() -> Qwen2Config:
    published = {
        name: value
        for name, value in CONFIG.items()
        if name not in ("model_type", "architectures", "mask_token_id")
    }
    return Qwen2Config(**published)


def _examples(texts: Sequence[bytes], draw: random.Random) -> Iterator[tuple[Tensor, Tensor]]:
    """Batches without end: (batch, window) long, and which of them are masked, bool."""
    while True:
        rows, masks = [], []
        for _ in range(BATCH):
            text = draw.choice(texts)
            at = draw.randrange(len(text) - WINDOW)
            rows.append(list(text[at : at + WINDOW]))
            # Every other example hides bytes anywhere, which teaches most for the time it takes.
            hole = draw.randint(1, LONGEST_HOLE) if draw.random() < 0.5 else WINDOW - 2
            first = draw.randint(1, WINDOW - hole - 1)
            share = draw.random()
            mask = [
                first <= place < first + hole and draw.random() < share for place in range(WINDOW)
            ]
            mask[draw.randrange(first, first + hole)] = True
            masks.append(mask)
        yield torch.tensor(rows), torch.tensor(masks)


def _loss(model: Qwen2ForCausalLM, tokens: Tensor, masked: Tensor) -> Tensor:
    """Mean nats of the masked bytes; row ``i - 1`` predicts byte ``i``, as in Dream."""
    visible = torch.ones(1, 1, WINDOW, WINDOW, dtype=torch.bool)
    states = model.model(
        input_ids=tokens.masked_fill(masked, MASK), attention_mask=visible, use_cache=False
    ).last_hidden_state
    before = masked.roll(-1, dims=1)
    return F.cross_entropy(model.lm_head(states[before]), tokens[masked])


def _write(model: Qwen2ForCausalLM, folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {name: tensor.contiguous() for name, tensor in model.state_dict().items()}
    save_file(tensors, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(CONFIG))
    vocabulary = byte_alphabet()
    (folder / "vocab.json").write_text(json.dumps(vocabulary))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    (folder / "added_tokens.json").write_text(json.dumps(MARKERS))
    described = {str(i): {"content": name, "special": True} for name, i in MARKERS.items()}
    (folder / "tokenizer_config.json").write_text(json.dumps({"added_tokens_decoder": described}))
    return folder
