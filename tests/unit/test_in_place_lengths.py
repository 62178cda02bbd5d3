"""The ways to the right length: fixed, an end token, expand and delete, a calibrated search."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from midfill.inference.errors import UsageError
from midfill.inference.in_place.canvas import Accepted, HoleCanvas
from midfill.inference.in_place.lengths.calibrated_search import CalibratedSearch
from midfill.inference.in_place.lengths.choice import length_control
from midfill.inference.in_place.lengths.control import TimeIsUp
from midfill.inference.in_place.lengths.end_of_middle import EndOfMiddle
from midfill.inference.in_place.lengths.expand_delete import ExpandDelete
from midfill.inference.in_place.lengths.fixed import FixedLength
from midfill.inference.length_bias import LengthBias
from midfill.inference.models.absorbing.special_tokens import SpecialTokens
from midfill.inference.models.options import Length, Options

if TYPE_CHECKING:
    from collections.abc import Sequence

EXPAND, DELETE, END = 91, 92, 93


def canvas(*slots: int | None) -> HoleCanvas:
    held = tuple(None if token is None else Accepted(token, -0.5) for token in slots)
    return HoleCanvas((1, 2), held, (3,))


def held(result: HoleCanvas) -> list[int | None]:
    return [None if slot is None else slot.token for slot in result.slots]


def nobody(lengths: Sequence[int]) -> list[float]:
    raise AssertionError("no length is to be scored")


def expand_delete(most: int = 16, **changes: bool) -> ExpandDelete:
    control = ExpandDelete(EXPAND, DELETE, **changes)
    control.begin(nobody, 1, most)
    return control


def test_a_fixed_length_takes_all_there_is_or_what_was_said() -> None:
    assert FixedLength().begin(nobody, 1, 32) == 32
    assert FixedLength(5).begin(nobody, 1, 32) == 5
    assert FixedLength(50).begin(nobody, 1, 32) == 32
    assert FixedLength(1).begin(nobody, 2, 32) == 2


def test_everything_behind_an_end_token_is_spent() -> None:
    control = EndOfMiddle(END)

    adjusted = control.adjust(canvas(5, None, END, None, 7, None), [1, 2, 3, 5], 16)

    assert held(adjusted) == [5, None, END, END, END, END]


def test_an_earlier_end_found_later_takes_over() -> None:
    control = EndOfMiddle(END)
    once = control.adjust(canvas(None, None, END, None), [0, 1, 2, 3], 16)

    again = control.adjust(once.accept({0: Accepted(END, -1.0)}), [0, 1], 16)

    assert held(again) == [END, END, END, END]


def test_an_expand_becomes_two_masks() -> None:
    adjusted = expand_delete().adjust(canvas(5, EXPAND, 7), [1], 16)

    assert held(adjusted) == [5, None, None, 7]


def test_a_delete_vanishes_with_its_slot_and_the_masked_ones_to_its_right() -> None:
    adjusted = expand_delete().adjust(canvas(5, DELETE, None, 7, None), [1, 2, 4], 16)

    assert held(adjusted) == [5, 7]


def test_without_broadcast_only_the_delete_itself_vanishes() -> None:
    adjusted = expand_delete(broadcast=False).adjust(canvas(5, DELETE, None, 7), [1, 2], 16)

    assert held(adjusted) == [5, None, 7]


def test_what_was_accepted_in_an_earlier_step_is_never_deleted() -> None:
    adjusted = expand_delete().adjust(canvas(DELETE, 6, 7), [0], 16)

    assert held(adjusted) == [6, 7]


def test_expansions_stop_where_the_canvas_is_full() -> None:
    control = expand_delete(4)

    adjusted = control.adjust(canvas(EXPAND, EXPAND, EXPAND), [0, 1, 2], 4)

    assert held(adjusted) == [None, None, None, None]
    assert EXPAND in control.forbidden(adjusted, 4)
    assert EXPAND not in expand_delete(8).forbidden(adjusted, 8)


def test_expansions_come_to_an_end_even_if_slots_are_deleted_again() -> None:
    control = expand_delete(3, broadcast=False)
    now = canvas(None)
    for _ in range(3):
        now = control.adjust(now.accept({0: Accepted(EXPAND, 0.0)}), [0], 3)
        now = control.adjust(now.accept({0: Accepted(DELETE, 0.0)}), [0, 1], 3)

    assert len(now.slots) == 1
    assert EXPAND in control.forbidden(now, 3)


@given(
    st.lists(st.sampled_from([None, 5, EXPAND, DELETE]), min_size=1, max_size=12),
    st.integers(1, 16),
    st.booleans(),
)
def test_no_adjustment_makes_a_canvas_too_long_or_leaves_a_control_token(
    slots: list[int | None], room: int, broadcast: bool
) -> None:
    most = max(room, len(slots))
    control = expand_delete(most, broadcast=broadcast)

    adjusted = control.adjust(canvas(*slots), list(range(len(slots))), most)

    assert len(adjusted.slots) <= most
    assert not {EXPAND, DELETE} & set(held(adjusted))
    assert [token for token in held(adjusted) if token == 5] == [
        5
        for place, token in enumerate(slots)
        if token == 5 and not (broadcast and DELETE in slots[:place])
    ]


class Scores:
    """A table of how sure a model is, and which of it was asked for."""

    def __init__(self, surety: dict[int, float]) -> None:
        self.surety = surety
        self.batches: list[tuple[int, ...]] = []

    def __call__(self, lengths: Sequence[int]) -> list[float]:
        self.batches.append(tuple(lengths))
        return [self.surety[length] for length in lengths]


class Asked(dict[int, float]):
    """A table that notes which of it was read."""

    def __init__(self, surety: dict[int, float]) -> None:
        super().__init__(surety)
        self.lengths: set[int] = set()

    def __getitem__(self, length: int) -> float:
        self.lengths.add(length)
        return super().__getitem__(length)


FLAT = LengthBias(0.0, 1.0, 0.0, 1.0, 1.0)


def climbing(surety: dict[int, float], start: int, longest: int, patience: int) -> int:
    """The published search, one length after the other."""
    best, reached = start, surety[start]
    failures = 0
    for length in range(start + 1, longest + 1):
        if surety[length] > reached:
            best, reached, failures = length, surety[length], 0
        else:
            failures += 1
        if failures == patience:
            break
    failures = 0
    for length in range(start - 1, 0, -1):
        if surety[length] > reached:
            best, reached, failures = length, surety[length], 0
        else:
            failures += 1
        if failures == patience:
            break
    return best


@given(
    st.lists(st.floats(0.01, 1.0), min_size=24, max_size=24),
    st.integers(1, 24),
    st.integers(1, 5),
)
def test_a_search_in_batches_ends_where_the_published_one_ends_and_scores_no_more(
    sureties: list[float], start: int, patience: int
) -> None:
    table = dict(enumerate(sureties, 1))
    scores, alone = Scores(table), Asked(table)

    found = CalibratedSearch(start, 24, patience, FLAT).begin(scores, 1, 24)

    assert found == climbing(alone, start, 24, patience)
    assert {length for batch in scores.batches for length in batch} == alone.lengths


def test_a_search_that_runs_out_of_time_takes_the_best_so_far() -> None:
    scores = Scores({length: 1 / (1 + abs(length - 20)) for length in range(1, 65)})

    def one_pass(lengths: Sequence[int]) -> list[float]:
        if scores.batches:
            raise TimeIsUp
        return scores(lengths)

    assert CalibratedSearch(bias=FLAT).begin(one_pass, 1, 64) == 12


def test_no_length_is_scored_twice() -> None:
    scores = Scores({length: 1 / (1 + abs(length - 20)) for length in range(1, 65)})

    CalibratedSearch(bias=FLAT).begin(scores, 1, 64)

    asked = [length for batch in scores.batches for length in batch]
    assert len(asked) == len(set(asked))


def test_the_liking_for_short_middles_is_taken_out() -> None:
    bias = LengthBias()
    scores = Scores(
        {length: bias(length) * (1.2 if length == 11 else 1) for length in range(1, 65)}
    )

    assert CalibratedSearch().begin(scores, 1, 64) == 11


def test_the_bias_has_the_published_values() -> None:
    assert LengthBias()(1) == pytest.approx(0.937721, abs=1e-6)
    assert LengthBias()(64) == pytest.approx(0.25204, abs=1e-5)


def test_a_search_keeps_within_the_slots_that_are_needed_and_allowed() -> None:
    scores = Scores(dict.fromkeys(range(1, 65), 0.5))

    assert 2 <= CalibratedSearch(bias=FLAT).begin(scores, 2, 3) <= 3
    assert {length for batch in scores.batches for length in batch} <= {2, 3}


def test_a_model_without_the_tokens_says_what_works_instead() -> None:
    tokens = SpecialTokens(mask=1, end=2, pad=2)

    with pytest.raises(UsageError, match="length=search works with every model"):
        length_control(Options(length=Length.EXPAND_DELETE), Length.SEARCH, tokens)


def test_a_model_is_filled_as_it_was_taught_unless_told_otherwise() -> None:
    tokens = SpecialTokens(mask=1, end=2, pad=2, expand=3, delete=2)

    taught = length_control(Options(), Length.EXPAND_DELETE, tokens)
    told = length_control(Options(length=Length.SEARCH), Length.EXPAND_DELETE, tokens)

    assert isinstance(taught, ExpandDelete)
    assert isinstance(told, CalibratedSearch)
    assert {2, 3} == set(told.forbidden(canvas(None), 8))
