"""The loop over a canvas in place, on a model whose every prediction is known."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import torch
from hypothesis import given
from hypothesis import strategies as st

from midfill.inference.in_place.canvas import Accepted, HoleCanvas, current_block
from midfill.inference.in_place.choosing_slots import SlotChooser
from midfill.inference.in_place.edges import Edges
from midfill.inference.in_place.lengths.end_of_middle import EndOfMiddle
from midfill.inference.in_place.lengths.expand_delete import ExpandDelete
from midfill.inference.in_place.lengths.fixed import FixedLength
from midfill.inference.in_place.unmasking import Rules, unmask
from midfill.inference.models.options import Caching
from midfill.inference.models.token_ends import TokenEnds
from midfill.inference.samplers.confidence_threshold import ConfidenceThreshold

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch import Tensor

    from midfill.inference.in_place.lengths.control import LengthControl

VOCABULARY = [b"", b"ret", b"return", b"urn", b" x", b"y", b"\n", b"", b""]
EXPAND, DELETE = 7, 8
PREFIX, SUFFIX = (4, 5), (6,)


class Rigged:
    """Says of each slot what a script says, and notes how it was asked."""

    longest = 64

    def __init__(self, script: Callable[[HoleCanvas, int], dict[int, float]]) -> None:
        self.script = script
        self.asked: list[tuple[range, bool, int]] = []

    def predict(
        self, canvas: HoleCanvas, block: range, caching: Caching, *, refresh: bool
    ) -> Tensor:
        masked = [index for index in canvas.masked_slots if index in block]
        self.asked.append((block, refresh, len(masked)))
        logits = torch.full((len(masked), len(VOCABULARY)), -8.0)
        for row, index in enumerate(masked):
            for token, value in self.script(canvas, index).items():
                logits[row, token] = value
        return logits

    def surety(
        self, prefix: Sequence[int], lengths: Sequence[int], suffix: Sequence[int]
    ) -> list[float]:
        raise AssertionError("nothing is searched here")


def rules(
    *,
    length: LengthControl | None = None,
    edges: Edges | None = None,
    block: int | None = None,
    steps: int = 99,
    most: int = 16,
    threshold: float = 0.9,
    ahead: int = 0,
) -> Rules:
    control = length or FixedLength()
    control.begin(lambda lengths: [0.0 for _ in lengths], 1, most)
    return Rules(
        sampler=ConfidenceThreshold(threshold),
        chooser=SlotChooser(0.0, 1.0, 0),
        length=control,
        banned=torch.tensor([0]),
        edges=edges or Edges(),
        ends=TokenEnds(VOCABULARY),
        caching=Caching.DUAL,
        block=block,
        steps=steps,
        most=most,
        ahead=ahead,
    )


def tokens(canvas: HoleCanvas) -> list[int | None]:
    return [None if slot is None else slot.token for slot in canvas.slots]


def blank(length: int) -> HoleCanvas:
    return HoleCanvas.masked(PREFIX, length, SUFFIX)


def test_slots_that_the_model_is_sure_of_are_accepted_together() -> None:
    model = Rigged(lambda canvas, index: {4 + index % 2: 9.0})

    steps = list(unmask(model, blank(4), rules()))

    assert [tokens(step.canvas) for step in steps] == [[4, 5, 4, 5]]


def test_unsure_slots_come_one_at_a_time_the_surest_first() -> None:
    model = Rigged(lambda canvas, index: {4: -7.0 + index})

    steps = list(unmask(model, blank(3), rules()))

    assert [tokens(step.canvas) for step in steps] == [[None, None, 4], [None, 4, 4], [4, 4, 4]]


def test_an_accepted_slot_keeps_its_token_whatever_is_predicted_later() -> None:
    model = Rigged(
        lambda canvas, index: {4: 9.0 if index == 0 else -7.0} if not canvas.slots[0] else {5: 9.0}
    )

    *_, last = unmask(model, blank(3), rules())

    assert tokens(last.canvas) == [4, 5, 5]


def test_a_draft_holds_a_guess_in_every_slot() -> None:
    model = Rigged(lambda canvas, index: {4: 9.0} if index == 1 else {5: -7.0})

    first = next(unmask(model, blank(3), rules()))

    assert tokens(first.canvas) == [None, 4, None]
    assert tokens(first.draft) == [5, 4, 5]


def test_banned_tokens_never_stand_in_a_hole() -> None:
    model = Rigged(lambda canvas, index: {0: 20.0, 5: 1.0})

    *_, last = unmask(model, blank(2), rules())

    assert tokens(last.canvas) == [5, 5]


def test_the_edges_are_spelled_again() -> None:
    model = Rigged(lambda canvas, index: {4: 9.0, 2: 1.0, 5: 0.5})

    *_, last = unmask(model, blank(3), rules(edges=Edges(b"retu", b"y")))

    assert tokens(last.canvas) == [2, 4, 5]


def test_blocks_are_finished_from_left_to_right_and_refreshed_once_each() -> None:
    model = Rigged(lambda canvas, index: {4: -7.0})

    steps = list(unmask(model, blank(5), rules(block=2)))

    assert len(steps) == 5
    assert [(block.start, block.stop, refresh) for block, refresh, _ in model.asked] == [
        (0, 2, True),
        (0, 2, False),
        (2, 4, True),
        (2, 4, False),
        (4, 5, True),
    ]


def test_the_next_block_is_begun_while_the_last_slots_of_one_settle() -> None:
    def script(canvas: HoleCanvas, index: int) -> dict[int, float]:
        late = index % 4 == 3 and canvas.slots[index - 1] is None
        return {4: -7.0 if late else 9.0}

    def asked(ahead: int) -> list[tuple[int, int, bool]]:
        model = Rigged(script)
        *_, last = unmask(model, blank(12), rules(block=4, ahead=ahead))
        assert tokens(last.canvas) == [4] * 12
        return [(block.start, block.stop, refresh) for block, refresh, _ in model.asked]

    one_after_the_other = [(start, start + 4, new) for start in (0, 4, 8) for new in (True, False)]
    assert asked(0) == one_after_the_other
    assert asked(1) == [(0, 4, True), (0, 8, False), (4, 12, True), (8, 12, True)]


@given(st.integers(1, 12), st.integers(1, 6), st.integers(0, 6), st.integers(0, 99))
def test_a_block_that_is_begun_ahead_is_the_next_one(
    slots: int, size: int, ahead: int, seed: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    filled = torch.randint(0, 2, (slots,), generator=generator).tolist()
    canvas = blank(slots).accept({i: Accepted(4, 0.0) for i in range(slots) if filled[i]})
    if canvas.settled:
        return
    block, wider = current_block(canvas, size), current_block(canvas, size, ahead)
    left = sum(index in block for index in canvas.masked_slots)

    assert wider.start == block.start
    assert wider.stop == (min(block.start + 2 * size, slots) if left <= ahead else block.stop)


def test_the_last_step_that_is_allowed_accepts_whatever_is_left() -> None:
    model = Rigged(lambda canvas, index: {4: -7.0})

    steps = list(unmask(model, blank(6), rules(steps=2, block=2)))

    assert len(steps) == 2
    assert steps[-1].canvas.settled


def test_a_hole_that_is_too_short_grows_and_everything_is_computed_anew() -> None:
    def script(canvas: HoleCanvas, index: int) -> dict[int, float]:
        return {EXPAND: 9.0} if len(canvas.slots) < 3 else {5: 9.0}

    model = Rigged(script)
    *_, last = unmask(model, blank(2), rules(length=ExpandDelete(EXPAND, DELETE)))

    assert tokens(last.canvas) == [5, 5, 5, 5]
    assert [refresh for _, refresh, _ in model.asked] == [True, True]


def test_what_stands_behind_a_hole_is_kept_until_the_hole_has_changed_by_half() -> None:
    def script(canvas: HoleCanvas, index: int) -> dict[int, float]:
        return {EXPAND if index == 0 and len(canvas.slots) < 14 else 5: 9.0 - index}

    model = Rigged(script)
    length = ExpandDelete(EXPAND, DELETE, start=8)
    *_, last = unmask(model, blank(8), rules(length=length, threshold=1.0))

    assert len(last.canvas.slots) == 14
    asked = [(block.stop, refresh) for block, refresh, _ in model.asked[:7]]
    assert asked == [
        (8, True),
        (9, False),
        (10, False),
        (11, False),
        (12, False),
        (13, True),
        (14, False),
    ]


def test_a_new_block_and_slots_changed_elsewhere_are_computed_anew() -> None:
    # The end in the first block fills what is behind it, too.
    model = Rigged(lambda canvas, index: {DELETE: 9.0} if index == 1 else {5: -7.0})
    ends = EndOfMiddle(DELETE)

    list(unmask(model, blank(4), rules(length=ends, block=3)))

    assert [refresh for _, refresh, _ in model.asked] == [True, True]


def test_a_hole_that_is_too_long_shrinks() -> None:
    model = Rigged(lambda canvas, index: {5: 9.0} if index < 2 else {DELETE: 9.0})

    *_, last = unmask(model, blank(6), rules(length=ExpandDelete(EXPAND, DELETE)))

    assert tokens(last.canvas) == [5, 5]


def test_a_model_that_only_ever_expands_comes_to_an_end() -> None:
    model = Rigged(lambda canvas, index: {EXPAND: 9.0, 5: 3.0})

    *_, last = unmask(model, blank(1), rules(length=ExpandDelete(EXPAND, DELETE), most=7))

    assert tokens(last.canvas) == [5] * 7


def test_log_probabilities_are_the_models_own_without_what_is_banned() -> None:
    model = Rigged(lambda canvas, index: {0: 30.0, 4: 1.0, 5: 1.0, 6: -torch.inf})

    *_, last = unmask(model, blank(1), rules())

    (slot,) = last.canvas.slots
    assert slot is not None
    others = 2 + 5 * torch.tensor(-9.0).exp()
    assert abs(slot.log_probability + float(others.log())) < 1e-5


@given(st.integers(1, 12), st.integers(1, 12), st.integers(0, 2**31), st.floats(0.05, 1.0))
def test_every_canvas_is_settled_in_no_more_steps_than_slots(
    length: int, block: int, seed: int, threshold: float
) -> None:
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn(length, len(VOCABULARY), generator=generator) * 3
    model = Rigged(lambda canvas, index: dict(enumerate(noise[index].tolist())))

    steps = list(unmask(model, blank(length), rules(block=block, threshold=threshold)))

    assert steps[-1].canvas.settled
    assert len(steps) <= length
    for before, after in pairwise(steps):
        assert all(
            new == old
            for old, new in zip(before.canvas.slots, after.canvas.slots, strict=True)
            if old is not None
        )


@given(st.integers(1, 20), st.integers(1, 25), st.data())
def test_the_current_block_is_the_leftmost_unfinished_one(
    length: int, size: int, data: st.DataObject
) -> None:
    known = data.draw(st.sets(st.integers(0, length - 1), max_size=length - 1))
    canvas = blank(length)
    canvas = canvas.accept({index: Accepted(4, 0.0) for index in known})

    block = current_block(canvas, size)

    assert canvas.masked_slots[0] in block
    assert block.start % size == 0
    assert len(block) == min(size, length - block.start)
