"""One repository on a loopback hub, as the tests of pulling have it."""

from __future__ import annotations

import json
import os
import random
from typing import TYPE_CHECKING

from hub_service import HubService, Repository

if TYPE_CHECKING:
    import pytest

NAME = "tests/small-diffusion"
FIRST, SECOND = "1" * 40, "2" * 40

WEIGHTS = tuple(random.Random(seed).randbytes(400_000) for seed in (1, 2))
SHARDS = tuple(f"model-0000{number}-of-00002.safetensors" for number in (1, 2))
INDEX = json.dumps({"weight_map": dict(zip(("a", "b"), SHARDS, strict=True))}).encode()

FILES = {
    "README.md": b"---\nlicense: apache-2.0\n---\n",
    "LICENSE": b"Do as you like.\n",
    "config.json": b'{"model_type": "Dream"}',
    "tokenizer_config.json": b"{}",
    "vocab.json": b'{"a": 0}',
    "merges.txt": b"",
    "model.safetensors.index.json": INDEX,
    "modeling_dream.py": b"raise SystemExit('code of a repository has run')\n",
    "pytorch_model.bin": b"a pickle",
    "onnx/model.safetensors": b"weights of something else",
    **dict(zip(SHARDS, WEIGHTS, strict=True)),
}

TAKEN = {
    "LICENSE",
    "config.json",
    "tokenizer_config.json",
    "vocab.json",
    "merges.txt",
    "model.safetensors.index.json",
    *SHARDS,
}


def repository(**differences: object) -> Repository:
    """A checkpoint in two shards, with other files and a card as given."""
    files = {**FILES, **differences.pop("files", {})}  # type: ignore[dict-item]
    found = Repository(
        {FIRST: {name: content for name, content in files.items() if content is not None}},
        {"main": FIRST},
    )
    for name, value in differences.items():
        setattr(found, name, value)
    return found


def hub_of(found: Repository | None = None) -> HubService:
    return HubService({NAME: found or repository()})


def forget_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the machine's own settings of hub and token play no part."""
    for name in [name for name in os.environ if name.startswith("HF_")]:
        monkeypatch.delenv(name)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr("huggingface_hub.constants.HF_TOKEN_PATH", os.devnull)
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
