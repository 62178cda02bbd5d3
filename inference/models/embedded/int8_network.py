"""The embedded model in int8 on a CPU: a layer is five native operations.

States stay in float32 between them; keys and values are kept in bfloat16.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from midfill.inference.models.embedded.network import attend_apart
from midfill.kernels.int8_linear import Int8Linear, int8_linear
from midfill.kernels.int8_unmask import int8_best, int8_unmask
from midfill.kernels.rms_norm import rms_norm
from midfill.kernels.rotary_attention import rotary_attention

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from midfill.inference.models.embedded.int8_sampler import Int8Sampler
    from midfill.inference.models.embedded.network import Part
    from midfill.inference.models.embedded.weights import EmbeddingLookup
    from midfill.kernels.int8_matrix import Int8Matrix
    from midfill.kernels.native.library import NativeLibrary
    from midfill.kernels.unmask import Unmasked


@dataclass(frozen=True, slots=True)
class Int8Layer:
    """One transformer block: four products, each with its norm or gate, bias and adapter."""

    qkv: Int8Linear
    o: Int8Linear
    gate_up: Int8Linear
    down: Int8Linear


@dataclass(frozen=True, slots=True)
class Int8Weights:
    """The base and the adapter in int8.

    Attributes:
        embedding: looks rows of the embedding up.
        layers: the blocks.
        final_norm: (width,) float32.
        norm_epsilon: of all norms.
        head: (vocabulary, width).
        guess_head: (guessable, width), the rows of the head that guesses are made with.
        mask_embeddings: (masks, width) float32.
        sampler: turns mask states into guesses.
    """

    embedding: EmbeddingLookup
    layers: tuple[Int8Layer, ...]
    final_norm: Tensor
    norm_epsilon: float
    head: Int8Matrix
    guess_head: Int8Matrix
    mask_embeddings: Tensor
    sampler: Int8Sampler


class Int8Network:
    """A `Network`. Without a native library it computes the same in plain torch, slowly."""

    def __init__(self, weights: Int8Weights, native: NativeLibrary | None) -> None:
        self._weights = weights
        self._native = native
        self._head = Int8Linear(weights.head)

    @property
    def device(self) -> torch.device:
        return torch.device("cpu")

    @property
    def cache_dtype(self) -> torch.dtype:
        return torch.bfloat16

    @property
    def sampler(self) -> Int8Sampler:
        return self._weights.sampler

    def embed(self, tokens: Sequence[int]) -> Tensor:
        return self._weights.embedding(tokens).float()

    def entering(self, behind: Tensor, masks: int) -> Tensor:
        return (behind[:, None] + self._weights.mask_embeddings[:masks]).flatten(0, 1)

    def layer(self, number: int, states: Tensor, known: int, parts: Sequence[Part]) -> Tensor:
        layer, native = self._weights.layers[number], self._native

        def attend(projected: Tensor, part: Part) -> Tensor:
            sight, cache = part.sight, part.cache
            keys, values = cache.keys[number], cache.values[number]
            return rotary_attention(
                projected, sight.angles, sight.visible, keys, values, sight.context, native
            )

        projected = int8_linear(layer.qkv, states, known, native)
        attended = attend_apart(projected, parts, attend)
        states = int8_linear(layer.o, attended, known, native, add_to=states)
        gate_up = int8_linear(layer.gate_up, states, known, native)
        return int8_linear(layer.down, gate_up, known, native, add_to=states)

    def normalised(self, states: Tensor) -> Tensor:
        return rms_norm(states, self._weights.final_norm, self._weights.norm_epsilon)

    def logits(self, states: Tensor) -> Tensor:
        return int8_linear(self._head, states.contiguous(), states.shape[0], self._native)

    def unmask(self, states: Tensor, permitted: Sequence[Tensor]) -> Unmasked:
        return int8_unmask(self._weights.head, states.contiguous(), self._native, permitted)

    def best_guess(self, state: Tensor) -> int:
        return int(int8_best(self._weights.guess_head, state[None].contiguous(), self._native))
