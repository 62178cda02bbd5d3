"""Forward passes of a bidirectional backbone: over whole texts, and over some of their positions.

A pass is over one text or over those of several holes. A hole that is alone is computed in its own
shape; several are a row each, filled up to the longest, and whatever fills them up is seen by
nobody. So what a row comes to does not depend on the others beyond rounding.

Passes over some positions are captured as graphs where there is CUDA: alone, for one place of the
buffers; together, over the first 2, 4 or 8 places, whoever of their holes takes part. Passes over
whole texts are not captured.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import torch

from midfill.inference.models.absorbing.hole_keys import SeveralKeys, TextsKeys
from midfill.inference.models.absorbing.key_buffers import KeyBuffers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor
    from transformers import PreTrainedModel

    from midfill.inference.captured_steps import CapturedSteps
    from midfill.inference.models.absorbing.hole_keys import HoleKeys

CAPACITY_STEP = 256
"""Positions by which the buffers of keys grow: canvases get longer, and graphs refer to buffers."""

ROW_STEP = 16
"""Rows of a step are filled up to a multiple of this, so that a few graphs do for all blocks."""

ROWS_TOGETHER = 320
"""Positions in one pass over several holes, what fills them up included: four canvases of 64 slots.

A card reads the weights in the time in which it computes some 200 rows. Up to there a further row
is free, and beyond there a pass takes longer by as much as it holds, so that sharing one gains
nothing. Texts longer than that go alone. Not measured on a card yet.
"""


@dataclass(frozen=True, slots=True)
class TextPass:
    """Whole texts of which the last states are wanted.

    Attributes:
        texts: token ids.
        keys: where to hold the keys of the one text, if they are needed later.
    """

    texts: Sequence[Sequence[int]]
    keys: HoleKeys | None = None

    @property
    def longest(self) -> int:
        return max(map(len, self.texts))


@dataclass(frozen=True, slots=True)
class SlotPass:
    """Some positions of a text whose other keys are held.

    Attributes:
        tokens: of all positions.
        positions: that are computed.
        wanted: which of these logits are wanted of.
        keys: what is held. Where it is of more or fewer positions than there are tokens now,
        moves_from: is the first of what is held that has moved since; none if all that has is
            computed.
    """

    tokens: Sequence[int]
    positions: Sequence[int]
    wanted: Sequence[int]
    keys: HoleKeys
    moves_from: int | None = None


class Passes:
    """Computes with a backbone.

    Attributes:
        backbone: a ``…ForCausalLM`` of `transformers`, in evaluation mode.
        mask: the id of the mask token.
        steps: runs the passes that are captured.
        buffers: keys and values of the holes that are being filled.
    """

    def __init__(self, backbone: PreTrainedModel, mask: int, steps: CapturedSteps) -> None:
        self.backbone = backbone
        self.mask = mask
        self.steps = steps
        self.buffers = KeyBuffers(backbone.config.num_hidden_layers)

    @property
    def device(self) -> torch.device:
        return self.backbone.device

    def key_bytes(self, positions: int) -> int:
        """What the keys and values of one hole take in so many positions."""
        config = self.backbone.config
        numbers: int = 2 * config.num_hidden_layers * config.num_key_value_heads * config.head_dim
        size: int = self.backbone.model.embed_tokens.weight.itemsize
        return numbers * size * _capacity(positions)

    def forget(self) -> None:
        """Give the buffers back, and the graphs that refer to them."""
        self.steps.clear()
        self.buffers.clear()

    def text(self, tokens: Sequence[int], keys: HoleKeys | None) -> Tensor:
        """States of all positions of one text, (length, width).

        Args:
            tokens: of the text.
            keys: where to hold its keys, if they are needed later.
        """
        length = len(tokens)
        if keys is not None:
            self._begin(keys, length)
        return self._forward(
            self.steps.moved(torch.tensor(tokens))[None],
            torch.arange(length, device=self.device)[None],
            torch.ones(1, 1, length, length, dtype=torch.bool, device=self.device),
            keys,
        )[0]

    def texts(self, passes: Sequence[TextPass]) -> list[Tensor]:
        """States of all positions of several texts: of each pass (texts, longest, width).

        Behind its own length a row is padding, and what stands there means nothing.
        """
        rows = [text for one in passes for text in one.texts]
        for one in passes:
            if one.keys is not None:
                self._begin(one.keys, one.longest)
        holding = [one.keys for one in passes for _ in one.texts]
        longest = max(map(len, rows))
        padded = torch.tensor([[*row, *[self.mask] * (longest - len(row))] for row in rows])
        real = torch.tensor([[i < len(row) for i in range(longest)] for row in rows])
        states = self._forward(
            self.steps.moved(padded),
            torch.arange(longest, device=self.device)[None],
            self.steps.moved(real)[:, None, None, :].expand(-1, 1, longest, -1),
            TextsKeys(holding) if any(holding) else None,
        )
        return list(torch.split(states, [len(one.texts) for one in passes]))

    def slots(self, one: SlotPass) -> Tensor:
        """Logits of some positions, over everybody's keys, (wanted, vocab) float32."""
        self._move(one)
        rows, length = len(one.positions), one.keys.length
        # Rows that are there for the shape alone keep their keys where nobody looks.
        idle = -rows % ROW_STEP if self.steps.capturing else 0
        states = self.steps.run(
            ("some positions", _place(one), self.buffers.capacity),
            partial(self.step, one.keys),
            tokens=torch.tensor([*(one.tokens[at] for at in one.positions), *[self.mask] * idle]),
            positions=torch.tensor([*one.positions, *range(length, length + idle)]),
            used=torch.tensor([length]),
        )
        return self.head(states[0, :rows], one.wanted)

    def several(self, passes: Sequence[SlotPass]) -> list[Tensor]:
        """`slots` of several holes in one pass, with the output head read once."""
        for one in passes:
            self._move(one)
        places = self._places(passes)
        longest = max(len(one.positions) for one in passes)
        longest += -longest % ROW_STEP if self.steps.capturing else 0
        tokens = torch.full((len(places), longest), self.mask)
        positions = torch.full_like(tokens, self.buffers.capacity - 1)
        used = torch.ones(len(places), dtype=torch.long)
        rows = [places.index(_place(one)) for one in passes]
        for row, one in zip(rows, passes, strict=True):
            count = len(one.positions)
            tokens[row, :count] = torch.tensor([one.tokens[at] for at in one.positions])
            positions[row, :count] = torch.tensor(one.positions)
            used[row] = one.keys.length
        states = self.steps.run(
            ("several", *places, self.buffers.capacity),
            partial(self._step_of_several, places),
            tokens=tokens,
            positions=positions,
            used=used,
        )
        wanted = [
            row * longest + at for row, one in zip(rows, passes, strict=True) for at in one.wanted
        ]
        logits = self.head(states.flatten(0, 1), wanted)
        return list(torch.split(logits, [len(one.wanted) for one in passes]))

    def rows_of(self, passes: Sequence[SlotPass]) -> int:
        """Rows that go through the layers for `several`, what fills them up included."""
        longest = max(len(one.positions) for one in passes)
        return len(self._places(passes)) * (-(-longest // ROW_STEP) * ROW_STEP)

    def step(self, keys: HoleKeys, tokens: Tensor, positions: Tensor, used: Tensor) -> Tensor:
        """One pass over some positions, captured or not.

        Captured, all of it depends on the tensors that it is given, and on the place, alone.

        Args:
            keys: of the text.
            tokens: (rows,) long.
            positions: (rows,) long, where they stand.
            used: (1,) long, how many positions there are.
        """
        captured = self.steps.capturing
        keys.only(positions, with_room=captured)
        return self._forward(tokens[None], positions[None], None, keys, used if captured else None)

    def head(self, states: Tensor, rows: Sequence[int]) -> Tensor:
        """Logits of the rows that are wanted, (rows, vocab) float32."""
        chosen = states[self.steps.moved(torch.tensor(rows, dtype=torch.long))]
        logits: Tensor = self.backbone.lm_head(chosen).float()
        return logits

    def _begin(self, keys: HoleKeys, length: int) -> None:
        """Have room for a text."""
        capacity = _capacity(length)
        if not self.buffers.fit(keys, capacity):
            self.steps.clear()  # graphs write to the buffers that are replaced
        self.buffers.hold(keys, capacity)
        keys.begin(length)

    def _move(self, one: SlotPass) -> None:
        """Have what is held where it stands now."""
        keys, moved = one.keys, len(one.tokens) - one.keys.length
        if not moved or one.moves_from is None:
            keys.length = len(one.tokens)
            return
        try:
            keys.move(one.moves_from, moved, self.backbone.model.rotary_emb.inv_freq)
        except BaseException:
            keys.leave()  # some layers have moved and some have not
            raise

    def _places(self, passes: Sequence[SlotPass]) -> list[int]:
        """The places that a pass over several goes through.

        Where passes are captured, all up to the last one that is needed and then up to a power of
        two: so a few graphs do for whichever holes come together.
        """
        needed = sorted(_place(one) for one in passes)
        if not self.steps.capturing:
            return needed
        return list(range(2 ** needed[-1].bit_length()))

    def _step_of_several(
        self, places: Sequence[int], tokens: Tensor, positions: Tensor, used: Tensor
    ) -> Tensor:
        """One pass over some positions of several holes, captured or not.

        Args:
            places: of the rows.
            tokens, positions: (rows, positions) long; what fills a row up stands where nobody
                looks.
            used: (rows,) long, how many positions there are.
        """
        keys = SeveralKeys(self.buffers, places, positions)
        return self._forward(tokens, positions, None, keys, used)

    def _forward(
        self,
        tokens: Tensor,
        positions: Tensor,
        visible: Tensor | None,
        keys: HoleKeys | TextsKeys | SeveralKeys | None,
        used: Tensor | None = None,
    ) -> Tensor:
        """Last states, (batch, rows, width).

        Args:
            tokens: (batch, rows) long.
            positions: (batch or 1, rows) long, where they stand.
            visible: (batch, 1, rows, keys) bool, who sees whom; none where all see all.
            keys: takes in theirs and has the others', if there are any.
            used: (batch,) long, how many of the keys there are; none where that is all of them.
        """
        states: Tensor = self.backbone.model(
            input_ids=tokens,
            position_ids=positions,
            attention_mask=visible,
            cache=keys,
            use_cache=False,
            used_keys=used,
        ).last_hidden_state
        return states


def _capacity(length: int) -> int:
    """Positions of a place for a text of so many."""
    return -(-(length + ROW_STEP) // CAPACITY_STEP) * CAPACITY_STEP


def _place(one: SlotPass) -> int:
    assert one.keys.place is not None
    return one.keys.place
