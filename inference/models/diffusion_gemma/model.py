"""DiffusionGemma in memory: what encodes a context, and what denoises a canvas behind it.

One set of weights in two modes. The causal mode writes keys and values of the context; the
bidirectional one sees a whole canvas and, read only, the context.

Source: `transformers`' ``modeling_diffusion_gemma``, whose layers do the arithmetic. The canvas's
pass is put together here so that the head runs on free slots only, and so that self-conditioning
keeps a vector for each slot rather than a probability for each token of the vocabulary.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from midfill.inference.models.diffusion_gemma.context import EncodedContext, layers_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from torch import Tensor
    from transformers import DiffusionGemmaForBlockDiffusion, DiffusionGemmaTextConfig
    from transformers.cache_utils import DynamicCache

    from midfill.inference.uniform.canvas import UniformCanvas

ENCODE_CHUNK = 512
"""Tokens encoded between two looks at whether they are still wanted."""


class DiffusionGemma:
    """The network and its two modes.

    Attributes:
        network: `transformers`' model, with attention of the kind ``sdpa``.
        vocabulary: token ids are below it.
        positions: how many tokens context and canvas may have together.
        device: where it is.
    """

    def __init__(self, network: DiffusionGemmaForBlockDiffusion) -> None:
        self.network = network
        self._config: DiffusionGemmaTextConfig = network.config.get_text_config()  # type: ignore[assignment]
        self._kinds = list(self._config.layer_types or ())
        self._decoder = network.model.decoder
        self._embedding = self._decoder.embed_tokens
        self.vocabulary: int = self._config.vocab_size
        self.positions: int = self._config.max_position_embeddings
        self.device: torch.device = self._embedding.weight.device

    def new_context(self) -> EncodedContext:
        return EncodedContext(self._config)

    def encode(
        self,
        tokens: Sequence[int],
        context: EncodedContext,
        go_on: Callable[[], None] = lambda: None,
    ) -> None:
        """Append tokens to a context.

        Args:
            tokens: their ids.
            context: is valid whenever ``go_on`` is called.
            go_on: called before each chunk; raises if the rest is not wanted.
        """
        for start in range(0, len(tokens), ENCODE_CHUNK):
            go_on()
            self._encode_chunk(tokens[start : start + ENCODE_CHUNK], context)

    def behind(self, context: EncodedContext) -> CanvasBehind:
        """The model as it sees canvases behind a context, which stays as it is meanwhile."""
        return CanvasBehind(self, context)

    @torch.no_grad()
    def _encode_chunk(self, tokens: Sequence[int], context: EncodedContext) -> None:
        ids = torch.tensor([list(tokens)], device=self.device)
        start, end = len(context), len(context) + len(tokens)
        positions = torch.arange(start, end, dtype=torch.int32, device=self.device)[None]
        encoder = self.network.model.encoder

        def encode(cache: DynamicCache) -> None:
            masks = encoder.create_masks_for_generate(
                config=self.network.config,
                # only its shape, type and device are looked at
                inputs_embeds=self._embedding.weight.new_empty(1, len(tokens), 0),
                attention_mask=None,
                cache=cache,
                position_ids=positions,
            )
            encoder(input_ids=ids, attention_mask=masks, cache=cache, position_ids=positions)

        context.extend(tokens, encode)

    @torch.no_grad()
    def step(
        self,
        ids: Tensor,
        belief: Tensor,
        positions: Tensor,
        masks: Mapping[str, Tensor | None],
        cache: DynamicCache,
    ) -> Tensor:
        """One pass over a canvas. All shapes are the same for all steps of a canvas.

        Args:
            ids: (rows, width) long, what the slots hold.
            belief: (rows, width, hidden), what they are believed to hold; zeros in the first step.
            positions: (1, width) int32, where the slots stand.
            masks: for each kind of layer (rows, 1, width, keys) bool, what may be seen; None where
                everything may.
            cache: the context, read only.

        Returns:
            (rows, width, hidden), for `head`.
        """
        decoder, kinds = self._decoder, self._kinds
        states = decoder.self_conditioning(self._embedding(ids), belief)
        rotations = {kind: decoder.rotary_emb(states, positions, kind) for kind in set(kinds)}
        for layer, kind in zip(decoder.layers, kinds, strict=True):
            states = layer(
                states,
                position_embeddings=rotations[kind],
                attention_mask=masks[kind],
                position_ids=positions,
                cache=cache,
            )
        normed: Tensor = decoder.norm(states)
        return normed

    @torch.no_grad()
    def head(self, states: Tensor) -> Tensor:
        """(slots, hidden) to (slots, vocab) float32 logits, soft-capped."""
        cap = self._config.final_logit_softcapping
        logits: Tensor = self.network.lm_head(states)
        capped: Tensor = torch.tanh(logits.float() / cap) * cap
        return capped

    @torch.no_grad()
    def embed(self, ids: Tensor) -> Tensor:
        """(rows, width) long to (rows, width, hidden): belief in tokens that are certain."""
        embedded: Tensor = self._embedding(ids)
        return embedded

    @torch.no_grad()
    def embed_softly(self, logits: Tensor) -> Tensor:
        """(slots, vocab) to (slots, hidden): the mean embedding under a distribution."""
        table = self._embedding.weight
        # The reference keeps logits in the weights' type, which rounds them.
        probabilities = logits.to(table.dtype).softmax(-1, dtype=torch.float32).to(table.dtype)
        soft: Tensor = probabilities @ table * self._embedding.embed_scale.to(table.dtype)
        return soft


class CanvasBehind:
    """A `CanvasModel`: DiffusionGemma with a context that is encoded."""

    def __init__(self, model: DiffusionGemma, context: EncodedContext) -> None:
        self._model = model
        self._context = context
        self._views: dict[int, DynamicCache] = {}

    @property
    def vocabulary(self) -> int:
        return self._model.vocabulary

    @property
    def device(self) -> torch.device:
        return self._model.device

    def predict(self, canvas: UniformCanvas, ids: Tensor, belief: Tensor | None) -> Tensor:
        model, start = self._model, len(self._context)
        if canvas.rows not in self._views:
            self._views[canvas.rows] = self._context.view(canvas.rows)
        cache = self._views[canvas.rows]
        states = model.step(
            ids,
            torch.zeros_like(model.embed(ids)) if belief is None else belief,
            torch.arange(start, start + canvas.width, dtype=torch.int32, device=ids.device)[None],
            _masks(canvas, cache),
            cache,
        )
        return model.head(states[canvas.free])

    def believe(self, canvas: UniformCanvas, logits: Tensor) -> Tensor:
        certain = self._model.embed(canvas.pinned)
        soft = self._model.embed_softly(logits)
        return certain.masked_scatter(canvas.free[..., None], soft)


def _masks(canvas: UniformCanvas, cache: DynamicCache) -> dict[str, Tensor | None]:
    """Every slot sees all of the context that its layer sees, and every slot but padding."""
    if not canvas.is_padded:
        return {"full_attention": None, "sliding_attention": None}
    rows, width = canvas.present.shape
    masks: dict[str, Tensor | None] = {}
    for layer in layers_of(cache):
        kind = "sliding_attention" if layer.is_sliding else "full_attention"
        if kind not in masks and layer.keys is not None:
            seen = canvas.present.new_ones(rows, layer.keys.shape[2])
            keys = torch.cat([seen, canvas.present], dim=-1)
            masks[kind] = keys[:, None, None].expand(rows, 1, width, -1)
    return masks
