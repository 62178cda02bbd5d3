"""The layout of the canvas: positions, and who sees whom."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from midfill.inference.canvas import (
    CanvasLayout,
    first_canvas,
    slot_offsets,
    slot_visibility,
    verifying_canvas,
)

layouts = st.builds(
    lambda known, masks: CanvasLayout(known, tuple(range(known)), masks),
    st.integers(1, 6),
    st.integers(1, 6),
)


def test_three_guesses_with_three_masks_make_sixteen_slots() -> None:
    layout = verifying_canvas(7, [1, 2, 3], 3).layout
    assert layout.slots == 16
    assert slot_offsets(layout).tolist() == [0, 1, 2, 3, 1, 2, 3, 2, 3, 4, 3, 4, 5, 4, 5, 6]


def test_the_first_canvas_reads_only_behind_its_last_token() -> None:
    canvas = first_canvas([5, 6, 7], 2)
    assert canvas.layout.first_read == 2
    assert slot_offsets(canvas.layout).tolist() == [0, 1, 2, 3, 4]


@given(layouts)
def test_no_known_slot_sees_a_mask(layout: CanvasLayout) -> None:
    assert not slot_visibility(layout)[: layout.known, layout.known :].any()


@given(layouts)
def test_known_slots_are_causal(layout: CanvasLayout) -> None:
    known = slot_visibility(layout)[: layout.known, : layout.known]
    assert torch.equal(known, torch.ones_like(known).tril())


@given(layouts)
def test_a_mask_sees_its_groups_known_slots_and_earlier_masks_and_nothing_else(
    layout: CanvasLayout,
) -> None:
    visible = slot_visibility(layout)
    for group, behind in enumerate(layout.behind):
        for mask in range(layout.masks):
            first = layout.known + group * layout.masks
            seen = set(visible[first + mask].nonzero().flatten().tolist())
            assert seen == {*range(behind + 1), *range(first, first + mask + 1)}


@given(layouts)
def test_every_slot_stands_right_behind_what_it_sees(layout: CanvasLayout) -> None:
    """As many slots are visible before a slot as its position says: no gaps, nothing twice."""
    visible, offsets = slot_visibility(layout), slot_offsets(layout)
    assert torch.equal(visible.sum(-1) - 1, offsets)
