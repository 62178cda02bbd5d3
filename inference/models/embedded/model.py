"""The embedded model: a causal base that knows infilling, and an adapter that fills mask slots.

Known slots compute exactly what the base model computes; the adapter's low-rank updates and mask
embeddings act on mask slots only. So guesses can be verified in the same pass that makes new ones,
and the keys of known slots are exact whatever stands behind them.

Sources: Qwen2.5-Coder, arXiv 2409.12186; masked multi-token prediction with gated adapters,
arXiv 2507.11851.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.nn import functional as F

from midfill.inference.canvas import Canvas, CanvasLayout, slot_offsets, slot_visibility
from midfill.inference.context_cache import ContextCache
from midfill.inference.models.embedded.architecture import Architecture
from midfill.inference.models.interface import CanvasLogits
from midfill.inference.noise import Noise
from midfill.kernels.adapted_linear import adapted_linear
from midfill.kernels.canvas_attention import attention_bias, canvas_attention, causal_attention
from midfill.kernels.rms_norm import rms_norm
from midfill.kernels.rotary import RotaryTable, rotate

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from midfill.inference.models.embedded.weights import Layer, Weights


class EmbeddedModel:
    """A `DenoisingModel`; see `inference.models.interface` for what each method promises."""

    noise = Noise.ABSORBING

    def __init__(self, weights: Weights, architecture: Architecture | None = None) -> None:
        self.architecture = architecture or Architecture()
        self._weights = weights
        self._rotary = RotaryTable.build(
            self.architecture.positions,
            self.architecture.head_size,
            self.architecture.rope_theta,
            weights.device,
        )

    @property
    def masks(self) -> int:
        return self._weights.masks_trained

    def new_cache(self, room: int) -> ContextCache:
        return ContextCache.empty(
            layers=self.architecture.layers,
            key_heads=self.architecture.key_heads,
            head_size=self.architecture.head_size,
            capacity=room,
            dtype=self._weights.dtype,
            device=self._weights.device,
        )

    @torch.inference_mode()
    def encode(self, tokens: Sequence[int], cache: ContextCache) -> None:
        if not tokens:
            return
        canvas = Canvas(tuple(tokens), CanvasLayout(len(tokens), (), 0))
        self._forward(canvas, cache)
        cache.tokens.extend(tokens)

    @torch.inference_mode()
    def denoise(self, canvas: Canvas, cache: ContextCache) -> CanvasLogits:
        layout = canvas.layout
        hidden = self._forward(canvas, cache)[layout.first_read :]
        hidden = rms_norm(hidden, self._weights.final_norm, self.architecture.norm_epsilon)
        logits = F.linear(hidden, self._weights.head).float()
        read = layout.known - layout.first_read
        return CanvasLogits(
            known=logits[:read],
            masks=logits[read:].view(
                len(layout.behind), layout.masks, self.architecture.vocabulary
            ),
        )

    def keep(self, canvas: Canvas, count: int, cache: ContextCache) -> None:
        cache.tokens.extend(canvas.tokens[:count])

    def _forward(self, canvas: Canvas, cache: ContextCache) -> Tensor:
        """Hidden states of all slots, (slots, width); writes their keys behind the context's."""
        layout, weights = canvas.layout, self._weights
        cache.reserve(layout.slots)
        context = len(cache)
        angles = self._rotary.at((slot_offsets(layout) + context).to(weights.device))
        bias = self._bias(layout, context)
        hidden = self._embed(canvas)
        for layer, keys, values in zip(weights.layers, cache.keys, cache.values, strict=True):
            hidden = hidden + self._attend(
                hidden, layer, angles, bias, keys, values, context, layout.known
            )
            hidden = hidden + self._feed_forward(hidden, layer, layout.known)
        return hidden

    def _bias(self, layout: CanvasLayout, context: int) -> Tensor | None:
        """The mask that all layers share; none for the very first tokens, which are just causal."""
        if context == 0 and not layout.masks:
            return None
        return attention_bias(
            slot_visibility(layout).to(self._weights.device),
            context,
            self.architecture.query_heads // self.architecture.key_heads,
            self._weights.dtype,
        )

    def _embed(self, canvas: Canvas) -> Tensor:
        weights = self._weights
        known = weights.embedding(canvas.tokens).to(weights.device, weights.dtype)
        masks = weights.mask_embeddings[: canvas.layout.masks]
        return torch.cat((known, masks.repeat(len(canvas.layout.behind), 1)))

    def _attend(
        self,
        hidden: Tensor,
        layer: Layer,
        angles: RotaryTable,
        bias: Tensor | None,
        keys: Tensor,
        values: Tensor,
        context: int,
        known: int,
    ) -> Tensor:
        shape = self.architecture
        slots = hidden.shape[0]
        x = rms_norm(hidden, layer.attention_norm, shape.norm_epsilon)
        projected = adapted_linear(x, layer.qkv, layer.qkv_bias, layer.qkv_adapter, known)
        query, key, value = projected.split_with_sizes(
            (shape.query_width, shape.key_width, shape.key_width), dim=-1
        )
        query = rotate(query.view(slots, shape.query_heads, -1), angles)
        key = rotate(key.view(slots, shape.key_heads, -1), angles)
        end = context + slots
        keys[:, context:end] = key.transpose(0, 1)
        values[:, context:end] = value.view(slots, shape.key_heads, -1).transpose(0, 1)
        if bias is None:
            attended = causal_attention(query, keys[:, :end], values[:, :end])
        else:
            attended = canvas_attention(query, keys[:, :end], values[:, :end], bias)
        return adapted_linear(attended, layer.o, None, layer.o_adapter, known)

    def _feed_forward(self, hidden: Tensor, layer: Layer, known: int) -> Tensor:
        x = rms_norm(hidden, layer.mlp_norm, self.architecture.norm_epsilon)
        gate, up = adapted_linear(x, layer.gate_up, None, layer.gate_up_adapter, known).chunk(
            2, dim=-1
        )
        return adapted_linear(F.silu(gate) * up, layer.down, None, layer.down_adapter, known)
