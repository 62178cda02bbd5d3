"""The canvas: the slots of one denoising step, which of them are masks, and who sees whom.

A canvas stands behind the cached context. Its known slots come first: uncached context, or the
certain token and the guesses behind it. Behind some of them stands a group of mask slots. A group
sees everything up to and including the known slot that it stands behind, and its own earlier masks;
no known slot ever sees a mask.

With three guesses and three masks a group, a canvas has 16 slots (``c`` the certain token, ``g`` a
guess, ``m`` a mask; the numbers are positions behind the cached context)::

    c0 g1 g2 g3 | m1 m2 m3 | m2 m3 m4 | m3 m4 m5 | m4 m5 m6
                behind c0   behind g1   behind g2   behind g3
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor


@dataclass(frozen=True, slots=True)
class CanvasLayout:
    """Everything about a canvas but its tokens.

    Attributes:
        known: number of known slots, ≥ 1.
        behind: for each group of masks the known slot it stands behind, rising; the first is the
            last slot that is known for certain.
        masks: mask slots in each group.
    """

    known: int
    behind: tuple[int, ...]
    masks: int

    @property
    def slots(self) -> int:
        return self.known + len(self.behind) * self.masks

    @property
    def first_read(self) -> int:
        """The first known slot whose prediction is wanted."""
        return self.behind[0]


@dataclass(frozen=True, slots=True)
class Canvas:
    """Known tokens, and masks behind some of them."""

    tokens: tuple[int, ...]
    layout: CanvasLayout


def first_canvas(
    known: Sequence[int], masks: int, believed: Sequence[int] = (), *, open_end: bool = True
) -> Canvas:
    """Tokens that are known but not cached yet, and what is believed to follow them.

    A group of masks stands behind what is known, for when nothing of what is believed holds, and,
    with an open end, one behind all that is believed.
    """
    tokens = (*known, *believed)
    behind = {len(known) - 1} | ({len(tokens) - 1} if open_end else set())
    return Canvas(tokens, CanvasLayout(len(tokens), tuple(sorted(behind)), masks))


def verifying_canvas(
    certain: int, guesses: Sequence[int], masks: int, found: Sequence[int] = ()
) -> Canvas:
    """The certain token and the guesses behind it, each with a group of masks behind it.

    Tokens that were found elsewhere may follow the guesses. They come with one group, for when all
    of them are right.
    """
    known = (certain, *guesses, *found)
    behind = {*range(1 + len(guesses)), len(known) - 1}
    return Canvas(known, CanvasLayout(len(known), tuple(sorted(behind)), masks))


@lru_cache(maxsize=64)
def slot_offsets(layout: CanvasLayout) -> Tensor:
    """Positions of the slots, counted from the first slot.

    The first mask of a group stands where the token after the known slot will stand.

    Returns:
        (slots,) long.
    """
    group = torch.arange(1, layout.masks + 1)
    return torch.cat((torch.arange(layout.known), *(group + known for known in layout.behind)))


@lru_cache(maxsize=64)
def slot_visibility(layout: CanvasLayout) -> Tensor:
    """Which slot (row) sees which (column).

    Returns:
        (slots, slots) bool.
    """
    visible = torch.zeros(layout.slots, layout.slots, dtype=torch.bool)
    causal = torch.ones(layout.slots, layout.slots, dtype=torch.bool).tril()
    visible[: layout.known, : layout.known] = causal[: layout.known, : layout.known]
    for group, known in enumerate(layout.behind):
        rows = slice(layout.known + group * layout.masks, layout.known + (group + 1) * layout.masks)
        visible[rows, : known + 1] = True
        visible[rows, rows] = causal[rows, rows]
    return visible
