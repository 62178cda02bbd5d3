"""Rows of the embedding, read from the file one by one.

The table is a fifth of all weights and a fill needs a handful of its rows. A memory map would draw
in its neighbours page by page until all of it is resident; reading rows costs microseconds.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, BinaryIO

import torch

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from torch import Tensor


class EmbeddingRows:
    """One bfloat16 matrix of a safetensors file, left on disk."""

    def __init__(self, path: Path, name: str = "embedding") -> None:
        self._file: BinaryIO = path.open("rb", buffering=0)
        header = int.from_bytes(self._file.read(8), "little")
        entry = json.loads(self._file.read(header))[name]
        self.shape: tuple[int, int] = tuple(entry["shape"])
        self._start = 8 + header + entry["data_offsets"][0]

    def __call__(self, tokens: Sequence[int]) -> Tensor:
        """(len(tokens), width) bfloat16."""
        width = self.shape[1]
        rows = bytearray(len(tokens) * width * 2)
        view = memoryview(rows)
        for place, token in enumerate(tokens):
            self._file.seek(self._start + token * width * 2)
            self._file.readinto(view[place * width * 2 : (place + 1) * width * 2])  # type: ignore[attr-defined]
        return torch.frombuffer(rows, dtype=torch.bfloat16).view(len(tokens), width)
