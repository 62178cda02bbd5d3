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
from midfill.inference.models.embedded.network import Part, Sight
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
        self._forward([canvas], [cache])
        cache.tokens.extend(tokens)

    def denoise(self, canvas: Canvas, cache: ContextCache) -> CanvasPredictions:
        return self.denoise_together([canvas], [cache])[0]

    @torch.inference_mode()
    def denoise_together(
        self, canvases: Sequence[Canvas], caches: Sequence[ContextCache]
    ) -> list[CanvasPredictions]:
        # With few slots it is reading the weights that takes time, and that is done once for all.
        found = self._forward(canvases, caches)
        return [
            self._predictions(canvas.layout, states)
            for canvas, states in zip(canvases, found, strict=True)
        ]

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

    def _predictions(self, layout: CanvasLayout, states: Tensor) -> CanvasPredictions:
        """Args:
        states: (slots, width), behind the last layer.
        """
        states = self._network.normalised(states[layout.first_read :])
        read = layout.known - layout.first_read
        return CanvasPredictions(
            known_states=states[:read],
            mask_states=states[read:].view(
                len(layout.behind), layout.masks, self.architecture.width
            ),
            head=self._network,
        )

    def _forward(self, canvases: Sequence[Canvas], caches: Sequence[ContextCache]) -> list[Tensor]:
        """States of each canvas's slots, (slots, width); writes their keys behind the context's.

        The known slots of all canvases come first, then the mask slots of all.
        """
        network = self._network
        layouts = [canvas.layout for canvas in canvases]
        for layout, cache in zip(layouts, caches, strict=True):
            cache.reserve(layout.slots)
        known = sum(layout.known for layout in layouts)
        states = network.embed([token for canvas in canvases for token in canvas.tokens])
        # Below the entry layer there are known slots only.
        parts = self._parts(layouts, caches, masks=False)
        for number in range(self.architecture.layers):
            if number == self._entry_layer and any(layout.masks for layout in layouts):
                groups = [states[behind] for behind in self._behind(layouts)]
                entering = map(network.entering, groups, [layout.masks for layout in layouts])
                states = torch.cat((states, *entering))
                parts = self._parts(layouts, caches, masks=True)
            states = network.layer(number, states, known, parts)
        return [states if part.rows is None else states[part.rows] for part in parts]

    def _behind(self, layouts: Sequence[CanvasLayout]) -> list[Tensor]:
        """Among the known slots of all canvases, those that each canvas's groups stand behind."""
        first, found = 0, []
        for layout in layouts:
            rows = [first + known for known in layout.behind]
            found.append(torch.tensor(rows, dtype=torch.long, device=self._network.device))
            first += layout.known
        return found

    def _parts(
        self, layouts: Sequence[CanvasLayout], caches: Sequence[ContextCache], *, masks: bool
    ) -> list[Part]:
        """Where each canvas's slots stand and whom they see, with its masks or without."""
        sights = [
            self._sight(layout, len(cache), layout.slots if masks else layout.known)
            for layout, cache in zip(layouts, caches, strict=True)
        ]
        if len(layouts) == 1:
            return [Part(None, sights[0], caches[0])]
        first_known, first_mask = 0, sum(layout.known for layout in layouts)
        parts = []
        for layout, sight, cache in zip(layouts, sights, caches, strict=True):
            rows = [torch.arange(first_known, first_known + layout.known)]
            first_known += layout.known
            if masks:
                count = layout.slots - layout.known
                rows.append(torch.arange(first_mask, first_mask + count))
                first_mask += count
            parts.append(Part(torch.cat(rows).to(self._network.device), sight, cache))
        return parts

    def _sight(self, layout: CanvasLayout, context: int, slots: int) -> Sight:
        """That of the first ``slots`` slots."""
        positions = slot_offsets(layout)[:slots] + context
        return Sight(
            self._rotary.at(positions.to(self._network.device)),
            slot_visibility(layout)[:slots, :slots],
            context,
            causal=context == 0 and slots == layout.known,
        )
