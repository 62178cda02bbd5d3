"""The embedded model in plain torch: on every device, in the dtype that its weights have."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from torch.nn import functional as F

from midfill.inference.models.embedded.adapter import UNADAPTED
from midfill.inference.models.embedded.network import attend_apart
from midfill.kernels.adapted_linear import adapted_linear
from midfill.kernels.canvas_attention import canvas_attention, causal_attention
from midfill.kernels.gated_linear import gated_linear
from midfill.kernels.norm_linear import norm_linear
from midfill.kernels.permitted import restricted
from midfill.kernels.rms_norm import rms_norm
from midfill.kernels.rotary import rotate
from midfill.kernels.unmask import unmask

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch
    from torch import Tensor

    from midfill.inference.models.embedded.adapter import LayerAdapter
    from midfill.inference.models.embedded.architecture import Architecture
    from midfill.inference.models.embedded.network import Part
    from midfill.inference.models.embedded.sampler_head import SamplerHead
    from midfill.inference.models.embedded.weights import Layer, Weights
    from midfill.kernels.unmask import Unmasked


class EagerNetwork:
    """A `Network`."""

    def __init__(self, weights: Weights, architecture: Architecture) -> None:
        self._base = weights.base
        self._adapter = weights.adapter
        self._guess_head = weights.guess_head
        self._shape = architecture

    @property
    def device(self) -> torch.device:
        return self._base.device

    @property
    def cache_dtype(self) -> torch.dtype:
        return self._base.dtype

    @property
    def sampler(self) -> SamplerHead:
        return self._adapter.sampler

    def embed(self, tokens: Sequence[int]) -> Tensor:
        return self._base.embedding(tokens).to(self._base.device, self._base.dtype)

    def entering(self, behind: Tensor, masks: int) -> Tensor:
        return (behind[:, None] + self._adapter.mask_embeddings[:masks]).flatten(0, 1)

    def layer(self, number: int, states: Tensor, known: int, parts: Sequence[Part]) -> Tensor:
        layer, entry = self._base.layers[number], self._adapter.entry_layer
        update = self._adapter.layers[number - entry] if number >= entry else UNADAPTED
        projected = norm_linear(
            states,
            layer.attention_norm,
            self._shape.norm_epsilon,
            layer.qkv,
            layer.qkv_bias,
            update.qkv,
            known,
        )
        attended = attend_apart(projected, parts, partial(self._attend, number))
        states = states + adapted_linear(attended, layer.o, None, update.o, known)
        return states + self._feed_forward(states, layer, update, known)

    def normalised(self, states: Tensor) -> Tensor:
        return rms_norm(states, self._base.final_norm, self._shape.norm_epsilon)

    def logits(self, states: Tensor) -> Tensor:
        return F.linear(states, self._base.head).float()

    def unmask(self, states: Tensor, permitted: Sequence[Tensor]) -> Unmasked:
        return unmask(restricted(self.logits(states), permitted))

    def best_guess(self, state: Tensor) -> int:
        return int(F.linear(state, self._guess_head).argmax())

    def _attend(self, number: int, projected: Tensor, part: Part) -> Tensor:
        shape, sight = self._shape, part.sight
        slots, context = projected.shape[0], sight.context
        keys, values = part.cache.keys[number], part.cache.values[number]
        query, key, value = projected.split_with_sizes(
            (shape.query_width, shape.key_width, shape.key_width), dim=-1
        )
        query = rotate(query.view(slots, shape.query_heads, -1), sight.angles)
        key = rotate(key.view(slots, shape.key_heads, -1), sight.angles)
        end = context + slots
        keys[:, context:end] = key.transpose(0, 1)
        values[:, context:end] = value.view(slots, shape.key_heads, -1).transpose(0, 1)
        if sight.causal:
            return causal_attention(query, keys[:, :end], values[:, :end])
        bias = sight.bias(shape.query_heads // shape.key_heads, query.dtype, query.device)
        return canvas_attention(query, keys[:, :end], values[:, :end], bias)

    def _feed_forward(
        self, states: Tensor, layer: Layer, update: LayerAdapter, known: int
    ) -> Tensor:
        epsilon = self._shape.norm_epsilon
        inner = gated_linear(states, layer.mlp_norm, epsilon, layer.gate_up, update.gate_up, known)
        return adapted_linear(inner, layer.down, None, update.down, known)
