"""A causal model's backbone with the causal mask taken away: everybody sees everybody.

What differs between the caching ways is which positions a step computes, once one step over all
positions has begun a block (Fast-dLLM, arXiv 2505.22618):

=======  ===========================================  ==========================================
caching  a step computes                              stale until the next block
=======  ===========================================  ==========================================
none     all positions                                nothing: exact
prefix   the block and all behind it                  keys and values in front of the block
dual     the block                                    keys and values in front of it and behind
=======  ===========================================  ==========================================

In models with a logit shift the prediction of a position stands in the row before it, so the
position in front of the block is computed along.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from midfill.inference.models.absorbing.hole_keys import HoleKeys
from midfill.inference.models.options import Caching

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor
    from transformers import PreTrainedModel

    from midfill.inference.captured_steps import CapturedSteps
    from midfill.inference.in_place.canvas import HoleCanvas

CAPACITY_STEP = 256
"""Positions by which static buffers grow, where graphs are captured."""

ROW_STEP = 16
"""Rows of a step are filled up to a multiple of this, so that a few graphs do for all blocks."""


MOST_POSITIONS = 16384
"""Positions in one forward pass that scores several lengths; bounds the memory that takes."""


class BidirectionalModel:
    """An `InPlaceModel` over a native backbone.

    Args:
        backbone: a ``…ForCausalLM`` of `transformers`, in evaluation mode.
        mask: the id of the mask token.
        shift: whether row ``i - 1`` predicts position ``i``.
        longest: positions at most.
        steps: runs the forward passes; captures them as graphs where there is CUDA.
    """

    def __init__(
        self,
        backbone: PreTrainedModel,
        *,
        mask: int,
        shift: bool,
        longest: int,
        steps: CapturedSteps,
    ) -> None:
        self._backbone = backbone
        self._mask = mask
        self._shift = shift
        self._longest = longest
        self._steps = steps
        self._keys = HoleKeys(backbone.config.num_hidden_layers)

    @property
    def longest(self) -> int:
        return self._longest

    @property
    def device(self) -> torch.device:
        return self._backbone.device

    def forget(self) -> None:
        """Give the buffers back, and the graphs that refer to them."""
        self._steps.clear()
        self._keys.clear()

    @torch.inference_mode()
    def predict(
        self, canvas: HoleCanvas, block: range, caching: Caching, *, refresh: bool
    ) -> Tensor:
        masked = [index for index in canvas.masked_slots if index in block]
        wanted = [self._row_of(canvas.start + index) for index in masked]
        tokens = canvas.tokens(self._mask)
        if refresh or caching is Caching.NONE:
            return self._head(self._all_positions(tokens, keep=caching is not Caching.NONE), wanted)
        first = self._row_of(canvas.start + block.start)
        end = canvas.length if caching is Caching.PREFIX else canvas.start + block.stop
        states = self._some_positions(tokens[first:end], first)
        return self._head(states, [row - first for row in wanted])

    @torch.inference_mode()
    def surety(
        self, prefix: Sequence[int], lengths: Sequence[int], suffix: Sequence[int]
    ) -> list[float]:
        window = len(prefix) + max(lengths) + len(suffix)
        together = max(1, MOST_POSITIONS // window)
        found: list[float] = []
        for first in range(0, len(lengths), together):
            found += self._sureties(prefix, lengths[first : first + together], suffix)
        return found

    def _sureties(
        self, prefix: Sequence[int], lengths: Sequence[int], suffix: Sequence[int]
    ) -> list[float]:
        rows = [[*prefix, *[self._mask] * length, *suffix] for length in lengths]
        longest = max(map(len, rows))
        padded = torch.tensor([row + [self._mask] * (longest - len(row)) for row in rows])
        real = torch.tensor([[i < len(row) for i in range(longest)] for row in rows])
        states = self._forward(
            self._steps.moved(padded),
            torch.arange(longest, device=self.device)[None],
            self._steps.moved(real)[:, None, None, :].expand(-1, 1, longest, -1),
            None,
        )
        found = []
        for row, length in zip(states, lengths, strict=True):
            slots = [self._row_of(len(prefix) + index) for index in range(length)]
            probabilities = torch.softmax(self._head(row, slots), dim=-1)
            found.append(probabilities.amax(-1).mean())
        sureties: list[float] = torch.stack(found).tolist()
        return sureties

    def _row_of(self, position: int) -> int:
        """The row in which a position is predicted; the first one predicts itself."""
        return max(position - 1, 0) if self._shift else position

    def _all_positions(self, tokens: Sequence[int], *, keep: bool) -> Tensor:
        """States of all positions, (length, width)."""
        length = len(tokens)
        if keep:
            capacity = self._capacity_for(length)
            if capacity > self._keys.capacity:
                self._steps.clear()  # graphs write to the buffers that are replaced
            self._keys.begin(length, capacity)
        return self._forward(
            self._steps.moved(torch.tensor(tokens))[None],
            torch.arange(length, device=self.device)[None],
            torch.ones(1, 1, length, length, dtype=torch.bool, device=self.device),
            self._keys if keep else None,
        )[0]

    def _some_positions(self, tokens: Sequence[int], first: int) -> Tensor:
        """States of the positions from ``first`` on, over everybody's keys, (rows, width)."""
        rows, length, capacity = len(tokens), self._keys.length, self._keys.capacity
        # Rows that are there for the shape alone keep their keys where nobody looks.
        idle = -rows % ROW_STEP if self._steps.capturing else 0
        positions = torch.arange(first, first + rows)
        states = self._steps.run(
            ("some positions", capacity),
            self._step,
            tokens=torch.tensor([*tokens, *[self._mask] * idle]),
            positions=torch.cat([positions, torch.arange(length, length + idle)]),
            visible=torch.arange(capacity) < length,
        )
        return states[0, :rows]

    def _capacity_for(self, length: int) -> int:
        if not self._steps.capturing:
            return length
        return -(-(length + ROW_STEP) // CAPACITY_STEP) * CAPACITY_STEP

    def _step(self, tokens: Tensor, positions: Tensor, visible: Tensor) -> Tensor:
        """One pass over some positions; all of it depends on the tensors that it is given alone.

        Args:
            tokens: (rows,) long.
            positions: (rows,) long, where they stand.
            visible: (capacity,) bool, the positions that are seen.
        """
        self._keys.only(positions)
        rows = tokens.shape[0]
        seen = visible.expand(1, 1, rows, -1)
        return self._forward(tokens[None], positions[None], seen, self._keys)

    def _forward(
        self, tokens: Tensor, positions: Tensor, visible: Tensor, keys: HoleKeys | None
    ) -> Tensor:
        """Last states, (batch, rows, width), given who sees whom, (batch, 1, rows, keys) bool."""
        states: Tensor = self._backbone.model(
            input_ids=tokens,
            position_ids=positions,
            attention_mask=visible,  # without one the native classes are causal
            cache=keys,
            use_cache=False,
        ).last_hidden_state
        return states

    def _head(self, states: Tensor, rows: Sequence[int]) -> Tensor:
        """Logits of the rows that are wanted, (rows, vocab) float32."""
        chosen = states[self._steps.moved(torch.tensor(rows, dtype=torch.long))]
        logits: Tensor = self._backbone.lm_head(chosen).float()
        return logits
