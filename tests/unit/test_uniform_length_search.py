"""The search for a hole's length, on models that are surest at a length we know."""

from __future__ import annotations

from math import exp
from typing import TYPE_CHECKING

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from midfill.inference.length_bias import LengthBias
from midfill.inference.uniform import length_search
from midfill.inference.uniform.bans import Bans
from midfill.inference.uniform.length_search import (
    DRAWS,
    EACH_UP_TO,
    MOST_SLOTS,
    batches_of,
    coarse_lengths,
    first_step_confidences,
    search_length,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from torch import Tensor

    from midfill.inference.uniform.canvas import UniformCanvas

VOCABULARY = 50


class SureAtOneLength:
    """Knows the whole text, and is the surer of it the more of what is pinned stands in its place.

    Args:
        text: token ids of the middle and of what follows.
        sureness: of the tokens' logits, given the share of pinned tokens in their places and the
            row's length.
    """

    vocabulary = VOCABULARY
    device = torch.device("cpu")

    def __init__(self, text: list[int], sureness: Callable[[float, int], float]) -> None:
        self.text = torch.tensor(text)
        self.sureness = sureness
        self.batches: list[int] = []
        self.parts: list[list[int]] = []

    def predict(self, canvas: UniformCanvas, ids: Tensor) -> Tensor:
        self.batches.append(canvas.rows)
        rows = []
        for held, free, present in zip(ids, canvas.free, canvas.present, strict=True):
            length = int(free.sum())
            pinned = present & ~free
            in_place = (held == self.text[: canvas.width])[pinned].float().mean()
            logits = torch.zeros(length, VOCABULARY)
            logits[torch.arange(length), self.text[:length]] = self.sureness(
                float(in_place), length
            )
            rows.append(logits)
        return torch.cat(rows)

    def predict_in_parts(
        self, canvas: UniformCanvas, ids: Tensor, parts: Sequence[int]
    ) -> Iterator[Tensor]:
        self.parts.append(list(parts))
        return iter(torch.split(self.predict(canvas, ids), list(parts)))


def different_tokens(count: int) -> list[int]:
    generator = torch.Generator().manual_seed(5)
    return torch.randint(1, VOCABULARY, (count,), generator=generator).tolist()


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(1)


@given(st.integers(1, EACH_UP_TO), st.integers(0, 8))
@settings(max_examples=30, deadline=None)
def test_the_length_is_found_at_which_the_suffix_stands_in_its_place(true: int, room: int) -> None:
    text = different_tokens(120)
    model = SureAtOneLength(text, lambda in_place, length: 1 + 9 * (in_place == 1))
    found = search_length(model, text[true : true + 12], min(true + room, EACH_UP_TO), generator())
    assert found.length == true


@pytest.mark.parametrize("true", [40, 57, 64, 91])
def test_longer_lengths_are_found_between_those_of_the_first_round(true: int) -> None:
    text = different_tokens(200)
    model = SureAtOneLength(text, lambda _, length: 8 * exp(-abs(length - true) / 12))
    found = search_length(model, text[true : true + 12], 100, generator())
    assert found.length == true
    assert len(model.batches) == found.passes
    assert found.passes <= 4 * DRAWS


def test_what_short_holes_are_sure_of_anyway_is_not_held_in_their_favour() -> None:
    usual = LengthBias()
    text = different_tokens(80)

    def as_usual_but_a_little_surer_at_nine(_: float, length: int) -> float:
        chance = min(0.99, usual(length) * (1.1 if length == 9 else 1.0))
        return float(torch.tensor(chance * (VOCABULARY - 1) / (1 - chance)).log())

    model = SureAtOneLength(text, as_usual_but_a_little_surer_at_nine)
    four, nine = first_step_confidences(
        model, text[:9], [4, 9], torch.zeros(9, dtype=torch.long)
    ).tolist()
    assert four > nine
    assert search_length(model, text[:9], 20, generator()).length == 9


def test_banned_tokens_make_no_length_likelier() -> None:
    model = SureAtOneLength([3] * 40, lambda _, length: 20.0)
    noise = torch.zeros(4, dtype=torch.long)
    everywhere = torch.arange(VOCABULARY) == 3
    assert first_step_confidences(model, [3], [4], noise)[0] > 0.99
    banned = first_step_confidences(model, [3], [4], noise, Bans(everywhere))
    assert float(banned) == pytest.approx(1 / (VOCABULARY - 1), rel=1e-4)


@given(st.integers(1, 300))
def test_the_first_round_reaches_from_one_slot_to_the_most(most: int) -> None:
    lengths = coarse_lengths(most)
    assert lengths[0] == 1
    assert lengths[-1] == most
    assert lengths == sorted(set(lengths))
    assert len(lengths) <= EACH_UP_TO + 12


def test_the_published_bias_falls_with_the_length() -> None:
    values = [LengthBias()(length) for length in range(1, 100)]
    assert values == sorted(values, reverse=True)
    assert values[0] == pytest.approx(exp(-1.77) + 0.56 * exp(-0.06) + 0.24)


@given(st.integers(1, 256), st.integers(1, 128))
def test_a_pass_has_so_many_slots_at_most(most: int, known: int) -> None:
    lengths = coarse_lengths(most)
    batches = batches_of(lengths, known)
    assert [length for batch in batches for length in batch] == lengths
    for batch in batches:
        assert len(batch) * (batch[-1] + known) <= MOST_SLOTS
    assert len(batches) <= 8


def test_no_more_logits_are_there_at_once_than_may_be(monkeypatch: pytest.MonkeyPatch) -> None:
    text = different_tokens(80)
    sureness = lambda in_place, length: 1 + 9 * (in_place == 1)  # noqa: E731
    whole, parts = SureAtOneLength(text, sureness), SureAtOneLength(text, sureness)
    found = search_length(whole, text[9:21], 30, generator())
    monkeypatch.setattr(length_search, "MOST_LOGITS", 16 * VOCABULARY)
    assert search_length(parts, text[9:21], 30, generator()) == found
    assert found.length == 9
    assert whole.parts[0] == [sum(range(1, 31))]
    assert sum(parts.parts[0]) == sum(range(1, 31))
    assert max(parts.parts[0]) == 30  # a length on its own
    assert all(slots <= 16 for slots in parts.parts[0][:6])


@pytest.mark.parametrize(("passes", "length"), [(0, 1), (1, 9), (2, 9), (3, 9)])
def test_where_time_is_up_the_best_length_so_far_is_taken(passes: int, length: int) -> None:
    text = different_tokens(80)
    model = SureAtOneLength(text, lambda in_place, length: 1 + 9 * (in_place == 1))
    found = search_length(
        model, text[9:21], 20, generator(), go_on=lambda: len(model.batches) < passes
    )
    assert (found.length, found.passes) == (length, passes)
    assert len(model.batches) == passes


def test_a_search_ends_with_what_it_is_told_by() -> None:
    model = SureAtOneLength(different_tokens(80), lambda _, length: 1.0)

    def stop() -> bool:
        if model.batches:
            raise KeyError("enough")
        return True

    with pytest.raises(KeyError, match="enough"):
        search_length(model, [3], 20, generator(), go_on=stop)
    assert len(model.batches) == 1
