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

Several fills share the passes (`wanted`), each with keys of its own.
"""

from __future__ import annotations

from contextlib import contextmanager
from copy import copy
from typing import TYPE_CHECKING, cast

import torch

from midfill.inference.models.absorbing.hole_keys import HoleKeys
from midfill.inference.models.absorbing.passes import Passes, SlotPass, TextPass
from midfill.inference.models.absorbing.wanted import Prediction, States
from midfill.inference.models.options import Caching
from midfill.inference.shared_steps import fills_sharing, shared
from midfill.kernels.unmask import unmask

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torch import Tensor
    from transformers import PreTrainedModel

    from midfill.inference.captured_steps import CapturedSteps
    from midfill.inference.in_place.canvas import HoleCanvas

MOST_POSITIONS, MOST_BESIDE_OTHERS = 16384, 2048
"""Positions in one forward pass that scores several lengths; bounds the memory that takes, and how
long other fills wait for it."""


class BidirectionalModel:
    """An `InPlaceModel` over a native backbone, for one fill at a time.

    What it keeps from step to step is that fill's; `for_one_fill` gives another fill a model of its
    own over the same backbone.

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
        self._passes = Passes(backbone, mask, steps)
        self._mask = mask
        self._shift = shift
        self._longest = longest
        self._keep_nothing()

    def _keep_nothing(self) -> None:
        self._keys = HoleKeys(self._passes.buffers)
        # Behind the block, positions whose keys the last step took as they were.
        self._kept_from = 0
        self._computed: list[int] = []  # the tokens that keys are of; none after a move

    @property
    def longest(self) -> int:
        return self._longest

    @property
    def device(self) -> torch.device:
        return self._passes.device

    def key_bytes(self, positions: int) -> int:
        """What the keys and values of one hole take in so many positions."""
        return self._passes.key_bytes(positions)

    @contextmanager
    def for_one_fill(self) -> Iterator[BidirectionalModel]:
        """The same model, with nothing kept yet; others may be in use at the same time."""
        model = copy(self)
        model._keep_nothing()
        try:
            yield model
        finally:
            model._keys.leave()

    def forget(self) -> None:
        """Give the buffers of all fills back, and the graphs that refer to them.

        Fills under way compute everything anew in their next step.
        """
        self._passes.forget()

    def predict(
        self, canvas: HoleCanvas, block: range, caching: Caching, *, refresh: bool
    ) -> Tensor:
        tokens = canvas.tokens(self._mask)
        masked = [index for index in canvas.masked_slots if index in block]
        rows = [self._row_of(canvas.start + index) for index in masked]
        keeping, end = caching is not Caching.NONE, canvas.start + block.stop
        # Behind the block, what has moved with it; with the prefix alone kept there is nothing.
        moved = canvas.length - self._keys.length
        kept_from = max(end, self._kept_from + moved)
        if caching is Caching.PREFIX:
            kept_from = canvas.length
        wanted = Prediction(
            self._passes,
            TextPass([tokens], self._keys if keeping else None),
            rows,
            None if refresh or not keeping else self._part(canvas, block, rows, kept_from, caching),
        )
        logits = cast("Tensor", shared(wanted))
        self._kept_from, self._computed = end if wanted.was_whole else kept_from, tokens
        return logits

    def _part(
        self,
        canvas: HoleCanvas,
        block: range,
        rows: Sequence[int],
        kept_from: int,
        caching: Caching,
    ) -> SlotPass:
        """The positions that a step computes, given that the others are held.

        Args:
            canvas, block, caching: as `predict`'s.
            rows: in which the masked slots of the block are predicted.
            kept_from: the first position behind the block that is taken as it is held.
        """
        tokens, begun = canvas.tokens(self._mask), canvas.start + block.start
        positions = list(range(self._row_of(begun), kept_from))
        moved = caching is not Caching.PREFIX and canvas.length != self._keys.length
        if caching is Caching.OPEN and self._computed and not moved:
            positions = [
                at for at in positions if at < begun or at in rows or self._is_open(at, tokens)
            ]
        return SlotPass(
            tokens,
            positions,
            [positions.index(row) for row in rows],
            self._keys,
            None if caching is Caching.PREFIX else self._kept_from,
        )

    def _is_open(self, position: int, tokens: Sequence[int]) -> bool:
        """Whether a position is masked, or its keys are of another token."""
        return tokens[position] == self._mask or tokens[position] != self._computed[position]

    def predict_each(self, canvases: Sequence[HoleCanvas]) -> list[Tensor]:
        states = self._states([canvas.tokens(self._mask) for canvas in canvases])
        with torch.inference_mode():
            return [
                self._passes.head(
                    row, [self._row_of(canvas.start + slot) for slot in canvas.masked_slots]
                )
                for row, canvas in zip(states, canvases, strict=True)
            ]

    def surety(
        self, prefix: Sequence[int], lengths: Sequence[int], suffix: Sequence[int]
    ) -> list[float]:
        window = len(prefix) + max(lengths) + len(suffix)
        most = MOST_POSITIONS if fills_sharing() == 1 else MOST_BESIDE_OTHERS
        together = max(1, most // window)
        found: list[float] = []
        for first in range(0, len(lengths), together):
            found += self._sureties(prefix, lengths[first : first + together], suffix)
        return found

    def _sureties(
        self, prefix: Sequence[int], lengths: Sequence[int], suffix: Sequence[int]
    ) -> list[float]:
        states = self._states([[*prefix, *[self._mask] * length, *suffix] for length in lengths])
        found = []
        with torch.inference_mode():
            for row, length in zip(states, lengths, strict=True):
                slots = [self._row_of(len(prefix) + index) for index in range(length)]
                found.append(unmask(self._passes.head(row, slots)).probabilities.mean())
            sureties: list[float] = torch.stack(found).tolist()
        return sureties

    def _states(self, texts: Sequence[Sequence[int]]) -> Tensor:
        """States of all positions of whole texts, (texts, longest, width)."""
        return cast("Tensor", shared(States(self._passes, TextPass(texts))))

    def _row_of(self, position: int) -> int:
        """The row in which a position is predicted; the first one predicts itself."""
        return max(position - 1, 0) if self._shift else position
