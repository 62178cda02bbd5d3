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

from midfill.inference.canvas import Canvas, CanvasLayout, slot_offsets, slot_visibility
from midfill.inference.context_cache import ContextCache
from midfill.inference.models.embedded.architecture import Architecture
from midfill.inference.models.embedded.network import Sight
from midfill.inference.models.interface import CanvasPredictions
from midfill.inference.noise import Noise
from midfill.kernels.rotary import RotaryTable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from midfill.inference.models.embedded.adapter import Adapter
    from midfill.inference.models.embedded.network import Network


class EmbeddedModel:
    """A `DenoisingModel`; see `inference.models.interface` for what each method promises."""

    noise = Noise.ABSORBING

    def __init__(
        self, network: Network, adapter: Adapter, architecture: Architecture | None = None
    ) -> None:
        self.architecture = architecture or Architecture()
        self.masks = adapter.masks
        self._network = network
        self._entry_layer = adapter.entry_layer
        self._guess_tokens = adapter.guess_tokens.tolist()
        self._rotary = RotaryTable.build(
            self.architecture.positions,
            self.architecture.head_size,
            self.architecture.rope_theta,
            network.device,
        )

    def new_cache(self, room: int) -> ContextCache:
        return ContextCache.empty(
            layers=self.architecture.layers,
            key_heads=self.architecture.key_heads,
            head_size=self.architecture.head_size,
            capacity=room,
            dtype=self._network.cache_dtype,
            device=self._network.device,
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
        states = self._network.normalised(states)
        read = layout.known - layout.first_read
        return CanvasPredictions(
            known_states=states[:read],
            mask_states=states[read:].view(
                len(layout.behind), layout.masks, self.architecture.width
            ),
            head=self._network,
        )

    @torch.inference_mode()
    def guess(
        self, canvas: Canvas, predictions: CanvasPredictions, known: int, certain: int
    ) -> tuple[int, ...]:
        layout, network = canvas.layout, self._network
        if known not in layout.behind:
            return ()
        state = predictions.known_states[known - layout.first_read]
        token, guesses = certain, []
        for mask_state in predictions.mask_states[layout.behind.index(known)]:
            embedding = network.embed((token,))[0]
            state = network.sampler.next_state(mask_state, embedding, state)
            token = self._guess_tokens[network.best_guess(state)]
            guesses.append(token)
        return tuple(guesses)

    def keep(self, canvas: Canvas, count: int, cache: ContextCache) -> None:
        cache.tokens.extend(canvas.tokens[:count])

    def _forward(self, canvas: Canvas, cache: ContextCache) -> Tensor:
        """States of all slots, (slots, width); writes their keys behind the context's."""
        layout, network = canvas.layout, self._network
        cache.reserve(layout.slots)
        angles = self._rotary.at((slot_offsets(layout) + len(cache)).to(network.device))
        # Below the entry layer there are known slots only.
        sight = self._sight(layout, angles, len(cache), layout.known)
        states = network.embed(canvas.tokens)
        for i, (keys, values) in enumerate(zip(cache.keys, cache.values, strict=True)):
            if i == self._entry_layer and layout.masks:
                behind = states[torch.tensor(layout.behind, device=network.device)]
                states = torch.cat((states, network.entering(behind, layout.masks)))
                sight = self._sight(layout, angles, len(cache), layout.slots)
            states = network.layer(i, states, sight, keys, values)
        return states

    def _sight(self, layout: CanvasLayout, angles: RotaryTable, context: int, slots: int) -> Sight:
        """That of the first ``slots`` slots."""
        return Sight(
            RotaryTable(angles.cos[:slots], angles.sin[:slots]),
            slot_visibility(layout)[:slots, :slots],
            context,
            layout.known,
            causal=context == 0 and slots == layout.known,
        )
