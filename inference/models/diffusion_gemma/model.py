"""DiffusionGemma in memory: what encodes a context, and what denoises a canvas behind it.

One set of weights in two modes. The causal mode writes keys and values of the context; the
bidirectional one sees a whole canvas and, read only, the context.

Source: `transformers`' ``modeling_diffusion_gemma``, whose layers do the arithmetic. The canvas's
pass is put together here so that the head runs on free slots only, and so that self-conditioning
keeps a vector for each slot rather than a probability for each token of the vocabulary.

Where steps are captured as graphs, the context is copied into buffers that stay where they are, and
canvases are filled up to a few widths; masks take out what is not there. So are canvases of several
fills, which are rows of one pass (`wanted`).
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import torch
from torch.nn import functional as F

from midfill.inference.captured_steps import CapturedSteps
from midfill.inference.models.diffusion_gemma.canvas_behind import CanvasBehind
from midfill.inference.models.diffusion_gemma.context import EncodedContext, token_bytes
from midfill.inference.models.diffusion_gemma.static_context import KINDS, StaticContext
from midfill.inference.models.diffusion_gemma.wanted import EncodedChunk
from midfill.inference.shared_steps import shared

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from torch import Tensor
    from transformers import DiffusionGemmaForBlockDiffusion, DiffusionGemmaTextConfig
    from transformers.cache_utils import DynamicCache

ENCODE_CHUNK = 512
"""Tokens encoded between two looks at whether they are still wanted."""

SLOT_STEP = 16
"""Captured canvases are filled up to a multiple of so many slots."""


class DiffusionGemma:
    """The network and its two modes.

    Attributes:
        network: `transformers`' model, with attention of the kind ``sdpa``.
        vocabulary: token ids are below it.
        positions: how many tokens context and canvas may have together.
        device: where it is.
        steps: runs the passes over canvases; captures them as graphs where there is CUDA.
    """

    def __init__(
        self, network: DiffusionGemmaForBlockDiffusion, steps: CapturedSteps | None = None
    ) -> None:
        self.network = network
        self._config: DiffusionGemmaTextConfig = network.config.get_text_config()  # type: ignore[assignment]
        self._kinds = list(self._config.layer_types or ())
        self._decoder = network.model.decoder
        self._embedding = self._decoder.embed_tokens
        self.vocabulary: int = self._config.vocab_size
        self.positions: int = self._config.max_position_embeddings
        self.device: torch.device = self._embedding.weight.device
        self.steps = CapturedSteps(self.device) if steps is None else steps
        self._static = StaticContext(self._config)

    def forget(self) -> None:
        """Give back what is held for captured steps, and the graphs that refer to it."""
        self.steps.clear()
        self._static.clear()

    def fill_bytes(self, tokens: int) -> int:
        """What a fill behind so many tokens keeps between its steps.

        That is its context, and the copy that is a row of passes over several canvases.
        """
        return 2 * tokens * token_bytes(self._config, self._embedding.weight.dtype)

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
            chunk = tokens[start : start + ENCODE_CHUNK]
            shared(EncodedChunk(self, chunk, context))

    def behind(self, context: EncodedContext) -> CanvasBehind:
        """The model as it sees canvases behind a context, which stays as it is meanwhile."""
        return CanvasBehind(self, context)

    @torch.no_grad()
    def encode_chunk(self, tokens: Sequence[int], context: EncodedContext) -> None:
        """Append a few tokens to a context, in one pass."""
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
            positions: (rows or 1, width) int32, where the slots stand.
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
    def captured_step(
        self, ids: Tensor, belief: Tensor, present: Tensor, behind: CanvasBehind, sharing: int
    ) -> Tensor:
        """`step` for canvases whose steps are captured.

        Args:
            ids, belief: as `step`'s.
            present: (rows, width) bool, the slots that are no padding.
            behind: what the canvas stands behind.
            sharing: fills that there are.

        Returns:
            (rows, width, hidden), good until the next pass.
        """
        places = max(self._static.places, _places_for(sharing))
        (place,) = self._static.hold([behind], places, self.steps.clear)
        width = ids.shape[1]
        idle = -width % SLOT_STEP
        states = self.steps.run(
            ("canvas", place, *self._static.rooms),
            partial(self._static_step, place, 1),
            ids=F.pad(ids, (0, idle)),
            belief=F.pad(belief, (0, 0, 0, idle)),
            present=F.pad(present, (0, idle)),
            places=torch.tensor([[len(behind.context), *self._static.lengths[place]]]),
        )
        return states[:, :width]

    @torch.no_grad()
    def several_steps(
        self, rows: Sequence[tuple[Tensor, Tensor, Tensor]], behind: Sequence[CanvasBehind]
    ) -> list[Tensor]:
        """`step` for canvases of one row each, behind a context each.

        They are rows of one pass, filled up to the widest and to a power of two of them. A row sees
        its own context and slots and nothing else.

        Args:
            rows: of each canvas ids, belief and present slots, as `captured_step`'s.
            behind: what each of them stands behind.

        Returns:
            For each (1, width, hidden), good until the next pass.
        """
        count = _places_for(len(rows))
        held = self._static.hold(behind, count, self.steps.clear)
        width = _widest(ids.shape[1] for ids, _, _ in rows)
        ids = torch.zeros(count, width, dtype=torch.long, device=self.device)
        belief = rows[0][1].new_zeros(count, width, rows[0][1].shape[2])
        # Of a row that is there for the shape alone every slot is present: it has to see something.
        present = torch.ones(count, width, dtype=torch.bool, device=self.device)
        places = torch.zeros(count, 1 + len(KINDS), dtype=torch.long)
        for place, one, (own_ids, own_belief, own_present) in zip(held, behind, rows, strict=True):
            slots = own_ids.shape[1]
            ids[place, :slots], belief[place, :slots] = own_ids[0], own_belief[0]
            present[place, :slots], present[place, slots:] = own_present[0], False
            places[place] = torch.tensor([len(one.context), *self._static.lengths[place]])
        states = self.steps.run(
            ("canvases", count, *self._static.rooms),
            partial(self._static_step, 0, count),
            ids=ids,
            belief=belief,
            present=present,
            places=places,
        )
        return [
            states[place : place + 1, : own.shape[1]]
            for place, (own, _, _) in zip(held, rows, strict=True)
        ]

    def slots_of_several(self, widths: Iterable[int]) -> int:
        """Slots that go through the layers for `several_steps`, what fills them up included."""
        every = list(widths)
        return _places_for(len(every)) * _widest(every)

    def _static_step(
        self, first: int, count: int, ids: Tensor, belief: Tensor, present: Tensor, places: Tensor
    ) -> Tensor:
        """`step` over static contexts; all of it depends on what it is given alone.

        Args:
            first, count: the places of the contexts; one does for all rows.
            ids, belief, present: as `captured_step`'s.
            places: (count, 3) long: where the canvas begins, and what layers of each kind see.
        """
        rows, width = ids.shape
        slots = torch.arange(width, dtype=torch.int32, device=ids.device)
        masks: dict[str, Tensor | None] = {}
        for number, kind in enumerate(KINDS):
            room = torch.arange(self._static.rooms[number], device=ids.device)
            seen = (room < places[:, 1 + number, None]).expand(rows, -1)
            keys = torch.cat([seen, present], dim=-1)
            masks[kind] = keys[:, None, None].expand(rows, 1, width, -1)
        positions = (slots + places[:, :1]).to(torch.int32)
        return self.step(ids, belief, positions, masks, self._static.cache(first, count, rows))

    @torch.no_grad()
    def head(self, states: Tensor) -> Tensor:
        """(slots, hidden) to (slots, vocab) float32 logits, soft-capped."""
        cap = self._config.final_logit_softcapping
        logits: Tensor = self.network.lm_head(states)
        capped = logits.float() / cap  # the one copy; the rest is done in its place
        return capped.tanh_().mul_(cap)

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


def _places_for(canvases: int) -> int:
    """Rows of a pass over so many canvases: a power of two, so that a few graphs do for all."""
    return 1 << max(0, canvases - 1).bit_length()


def _widest(widths: Iterable[int]) -> int:
    """The width of the rows of a pass over several canvases."""
    return -(-max(widths) // SLOT_STEP) * SLOT_STEP
