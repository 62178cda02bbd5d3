"""The embedded model: a causal base that knows infilling, and an adapter that fills mask slots.

Known slots compute exactly what the base model computes; the adapter acts on mask slots only. So
guesses can be verified in the same pass that makes new ones, and the keys of known slots are exact
whatever stands behind them. Mask slots join at the adapter's entry layer, as copies of the known
slot they stand behind: what the layers below would make of a mask, they know already.

Sources: Qwen2.5-Coder, arXiv 2409.12186; masked multi-token prediction with gated adapters,
arXiv 2507.11851.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.nn import functional as F

from midfill.inference.canvas import Canvas, CanvasLayout, slot_offsets, slot_visibility
from midfill.inference.context_cache import ContextCache
from midfill.inference.models.embedded.adapter import UNADAPTED
from midfill.inference.models.embedded.architecture import Architecture
from midfill.inference.models.interface import CanvasPredictions
from midfill.inference.noise import Noise
from midfill.kernels.adapted_linear import adapted_linear
from midfill.kernels.canvas_attention import attention_bias, canvas_attention, causal_attention
from midfill.kernels.rms_norm import rms_norm
from midfill.kernels.rotary import RotaryTable, rotate

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from midfill.inference.models.embedded.adapter import LayerAdapter
    from midfill.inference.models.embedded.weights import Layer, Weights


class EmbeddedModel:
    """A `DenoisingModel`; see `inference.models.interface` for what each method promises."""

    noise = Noise.ABSORBING

    def __init__(self, weights: Weights, architecture: Architecture | None = None) -> None:
        self.architecture = architecture or Architecture()
        self._base = weights.base
        self._adapter = weights.adapter
        self._guess_head = weights.guess_head
        self._rotary = RotaryTable.build(
            self.architecture.positions,
            self.architecture.head_size,
            self.architecture.rope_theta,
            weights.base.device,
        )

    @property
    def masks(self) -> int:
        return self._adapter.masks

    def new_cache(self, room: int) -> ContextCache:
        return ContextCache.empty(
            layers=self.architecture.layers,
            key_heads=self.architecture.key_heads,
            head_size=self.architecture.head_size,
            capacity=room,
            dtype=self._base.dtype,
            device=self._base.device,
        )

    @torch.inference_mode()
    def encode(self, tokens: Sequence[int], cache: ContextCache) -> None:
        if not tokens:
            return
        canvas = Canvas(tuple(tokens), CanvasLayout(len(tokens), (), 0))
        self._forward(canvas, cache)
        cache.tokens.extend(tokens)

    @torch.inference_mode()
    def denoise(self, canvas: Canvas, cache: ContextCache) -> CanvasPredictions:
        layout = canvas.layout
        states = self._forward(canvas, cache)[layout.first_read :]
        states = rms_norm(states, self._base.final_norm, self.architecture.norm_epsilon)
        read = layout.known - layout.first_read
        return CanvasPredictions(
            logits=F.linear(states[:read], self._base.head).float(),
            known_states=states[:read],
            mask_states=states[read:].view(
                len(layout.behind), layout.masks, self.architecture.width
            ),
        )

    @torch.inference_mode()
    def guess(
        self, canvas: Canvas, predictions: CanvasPredictions, known: int, certain: int
    ) -> tuple[int, ...]:
        layout, adapter = canvas.layout, self._adapter
        if known not in layout.behind:
            return ()
        state = predictions.known_states[known - layout.first_read]
        token, guesses = certain, []
        for mask_state in predictions.mask_states[layout.behind.index(known)]:
            embedding = self._embed((token,))[0]
            state = adapter.sampler.next_state(mask_state, embedding, state)
            token = int(adapter.guess_tokens[F.linear(state, self._guess_head).argmax()])
            guesses.append(token)
        return tuple(guesses)

    def keep(self, canvas: Canvas, count: int, cache: ContextCache) -> None:
        cache.tokens.extend(canvas.tokens[:count])

    def _forward(self, canvas: Canvas, cache: ContextCache) -> Tensor:
        """States of all slots, (slots, width); writes their keys behind the context's."""
        layout, base, adapter = canvas.layout, self._base, self._adapter
        cache.reserve(layout.slots)
        context = len(cache)
        angles = self._rotary.at((slot_offsets(layout) + context).to(base.device))
        visible = slot_visibility(layout)
        # Below the entry layer there are known slots only.
        angles_now = RotaryTable(angles.cos[: layout.known], angles.sin[: layout.known])
        bias = self._bias(visible[: layout.known, : layout.known], context)
        states = self._embed(canvas.tokens)
        entry = adapter.entry_layer
        for i, (layer, keys, values) in enumerate(
            zip(base.layers, cache.keys, cache.values, strict=True)
        ):
            if i == entry and layout.masks:
                states = torch.cat((states, self._entering(states, layout)))
                angles_now, bias = angles, self._bias(visible, context, masked=True)
            update = adapter.layers[i - entry] if i >= entry else UNADAPTED
            states = states + self._attend(
                states, layer, update, angles_now, bias, keys, values, context, layout.known
            )
            states = states + self._feed_forward(states, layer, update, layout.known)
        return states

    def _entering(self, states: Tensor, layout: CanvasLayout) -> Tensor:
        """The mask slots' states at the entry layer, (groups * masks, width)."""
        behind = states[torch.tensor(layout.behind, device=states.device)]
        masks = behind[:, None] + self._adapter.mask_embeddings[: layout.masks]
        return masks.flatten(0, 1)

    def _bias(self, visible: Tensor, context: int, *, masked: bool = False) -> Tensor | None:
        """The mask that layers share; none for the very first tokens, which are just causal."""
        if context == 0 and not masked:
            return None
        return attention_bias(
            visible.to(self._base.device),
            context,
            self.architecture.query_heads // self.architecture.key_heads,
            self._base.dtype,
        )

    def _embed(self, tokens: Sequence[int]) -> Tensor:
        return self._base.embedding(tokens).to(self._base.device, self._base.dtype)

    def _attend(
        self,
        states: Tensor,
        layer: Layer,
        update: LayerAdapter,
        angles: RotaryTable,
        bias: Tensor | None,
        keys: Tensor,
        values: Tensor,
        context: int,
        known: int,
    ) -> Tensor:
        shape = self.architecture
        slots = states.shape[0]
        x = rms_norm(states, layer.attention_norm, shape.norm_epsilon)
        projected = adapted_linear(x, layer.qkv, layer.qkv_bias, update.qkv, known)
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
        return adapted_linear(attended, layer.o, None, update.o, known)

    def _feed_forward(
        self, states: Tensor, layer: Layer, update: LayerAdapter, known: int
    ) -> Tensor:
        x = rms_norm(states, layer.mlp_norm, self.architecture.norm_epsilon)
        gate, up = adapted_linear(x, layer.gate_up, None, update.gate_up, known).chunk(2, dim=-1)
        return adapted_linear(F.silu(gate) * up, layer.down, None, update.down, known)
