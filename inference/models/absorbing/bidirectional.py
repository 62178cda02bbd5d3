"""A causal model's backbone with the causal mask taken away: everybody sees everybody.

What differs between the caching ways is which positions a step computes, once one step over all
positions has begun a block (Fast-dLLM, arXiv 2505.22618):

=======  ===========================================  ==========================================
caching  a step computes                              stale until the next block
=======  ===========================================  ==========================================
none     all positions                                nothing: exact
prefix   the block and all behind it                  keys and values in front of the block
dual     the block                                    keys and values in front of it and behind
open     the block's masks and what was accepted      the same, and of slots of the block that
         since the last step                          were accepted before
=======  ===========================================  ==========================================

In models with a logit shift the prediction of a position stands in the row before it, so the
position in front of the block is computed along.

Where slots of the block come and go, what stands behind it moves. With ``prefix`` that is computed
in any case; with ``dual`` and ``open`` its keys are turned to their new positions and its values
moved, and no more than the block is computed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from midfill.inference.models.absorbing.hole_keys import HoleKeys
from midfill.inference.models.options import Caching
from midfill.kernels.unmask import unmask

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor
    from transformers import PreTrainedModel

    from midfill.inference.captured_steps import CapturedSteps
    from midfill.inference.in_place.canvas import HoleCanvas

CAPACITY_STEP = 256
"""Positions by which the buffers of keys grow: canvases get longer, and graphs refer to buffers."""

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
        # Behind the block, positions whose keys the last step took as they were.
        self._kept_from = 0
        self._computed: list[int] = []  # the tokens that keys are of; none after a move

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
        no_room = canvas.length + ROW_STEP > self._keys.capacity
        if refresh or no_room or caching is Caching.NONE:
            self._kept_from, self._computed = canvas.start + block.stop, tokens
            return self._head(self._all_positions(tokens, keep=caching is not Caching.NONE), wanted)
        first = self._row_of(canvas.start + block.start)
        moved = canvas.length - self._keys.length
        if caching is Caching.PREFIX:
            self._kept_from = canvas.length
            self._keys.length = canvas.length
        else:
            if moved:
                self._computed = []
                rotary = self._backbone.model.rotary_emb
                self._keys.move(self._kept_from, moved, rotary.inv_freq)
            self._kept_from = max(canvas.start + block.stop, self._kept_from + moved)
        positions = list(range(first, self._kept_from))
        if caching is Caching.OPEN and self._computed:
            begun = canvas.start + block.start
            positions = [
                at for at in positions if at < begun or at in wanted or self._is_open(at, tokens)
            ]
        self._computed = tokens
        states = self._some_positions(tokens, positions)
        return self._head(states, [positions.index(row) for row in wanted])

    def _is_open(self, position: int, tokens: Sequence[int]) -> bool:
        """Whether a position is masked, or its keys are of another token."""
        return tokens[position] == self._mask or tokens[position] != self._computed[position]

    @torch.inference_mode()
    def predict_each(self, canvases: Sequence[HoleCanvas]) -> list[Tensor]:
        rows = torch.tensor([canvas.tokens(self._mask) for canvas in canvases])
        length = rows.shape[1]
        positions = torch.arange(length, device=self.device)[None]
        everybody = torch.ones(len(rows), 1, length, length, dtype=torch.bool, device=self.device)
        states = self._forward(self._steps.moved(rows), positions, everybody, None)
        return [
            self._head(row, [self._row_of(canvas.start + slot) for slot in canvas.masked_slots])
            for row, canvas in zip(states, canvases, strict=True)
        ]

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
            found.append(unmask(self._head(row, slots)).probabilities.mean())
        sureties: list[float] = torch.stack(found).tolist()
        return sureties

    def _row_of(self, position: int) -> int:
        """The row in which a position is predicted; the first one predicts itself."""
        return max(position - 1, 0) if self._shift else position

    def _all_positions(self, tokens: Sequence[int], *, keep: bool) -> Tensor:
        """States of all positions, (length, width)."""
        length = len(tokens)
        if keep:
            capacity = -(-(length + ROW_STEP) // CAPACITY_STEP) * CAPACITY_STEP
            if capacity > self._keys.capacity:
                self._steps.clear()  # graphs write to the buffers that are replaced
            self._keys.begin(length, capacity)
        return self._forward(
            self._steps.moved(torch.tensor(tokens))[None],
            torch.arange(length, device=self.device)[None],
            torch.ones(1, 1, length, length, dtype=torch.bool, device=self.device),
            self._keys if keep else None,
        )[0]

    def _some_positions(self, tokens: Sequence[int], positions: Sequence[int]) -> Tensor:
        """States of some positions, over everybody's keys, (positions, width)."""
        rows, length = len(positions), self._keys.length
        # Rows that are there for the shape alone keep their keys where nobody looks.
        idle = -rows % ROW_STEP if self._steps.capturing else 0
        states = self._steps.run(
            ("some positions", self._keys.capacity),
            self._step,
            tokens=torch.tensor([*(tokens[at] for at in positions), *[self._mask] * idle]),
            positions=torch.tensor([*positions, *range(length, length + idle)]),
            used=torch.tensor([length]),
        )
        return states[0, :rows]

    def _step(self, tokens: Tensor, positions: Tensor, used: Tensor) -> Tensor:
        """One pass over some positions, captured or not.

        Captured, all of it depends on the tensors that it is given alone.

        Args:
            tokens: (rows,) long.
            positions: (rows,) long, where they stand.
            used: (1,) long, how many positions there are.
        """
        captured = self._steps.capturing
        self._keys.only(positions, with_room=captured)
        return self._forward(
            tokens[None], positions[None], None, self._keys, used if captured else None
        )

    def _forward(
        self,
        tokens: Tensor,
        positions: Tensor,
        visible: Tensor | None,
        keys: HoleKeys | None,
        used: Tensor | None = None,
    ) -> Tensor:
        """Last states, (batch, rows, width).

        Args:
            tokens: (batch, rows) long.
            positions: (1, rows) long, where they stand.
            visible: (batch, 1, rows, keys) bool, who sees whom; none where all see all.
            keys: takes in theirs and has the others', if there are any.
            used: (1,) long, how many of the keys there are; none where that is all of them.
        """
        states: Tensor = self._backbone.model(
            input_ids=tokens,
            position_ids=positions,
            attention_mask=visible,
            cache=keys,
            use_cache=False,
            used_keys=used,
        ).last_hidden_state
        return states

    def _head(self, states: Tensor, rows: Sequence[int]) -> Tensor:
        """Logits of the rows that are wanted, (rows, vocab) float32."""
        chosen = states[self._steps.moved(torch.tensor(rows, dtype=torch.long))]
        logits: Tensor = self._backbone.lm_head(chosen).float()
        return logits
