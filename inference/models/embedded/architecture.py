"""The shape of the embedded model: Qwen2.5-Coder-0.5B."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Architecture:
    layers: int = 24
    width: int = 896
    query_heads: int = 14
    key_heads: int = 2
    head_size: int = 64
    feed_forward: int = 4864
    vocabulary: int = 151_936
    rope_theta: float = 1_000_000.0
    norm_epsilon: float = 1e-6
    positions: int = 8192
    """More than any prompt and middle have; the base was trained on 32,768."""
    mask_embeddings: int = 8

    @property
    def query_width(self) -> int:
        return self.query_heads * self.head_size

    @property
    def key_width(self) -> int:
        return self.key_heads * self.head_size
