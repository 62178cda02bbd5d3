"""Choosing tokens: greedily, or by chance that can be repeated."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from midfill.inference.choosing import Chosen, chooser
from midfill.inference.models.interface import CanvasPredictions
from midfill.kernels.permitted import restricted
from midfill.kernels.unmask import Unmasked, unmask

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor


class Identity:
    """A head whose states are logits; counts who wants them all."""

    asked = 0

    def logits(self, states: Tensor) -> Tensor:
        self.asked += 1
        return states

    def unmask(self, states: Tensor, permitted: Sequence[Tensor]) -> Unmasked:
        return unmask(restricted(states, permitted))


def predictions(logits: Tensor, head: Identity | None = None) -> CanvasPredictions:
    return CanvasPredictions(logits, torch.empty(0), head or Identity())


def chosen(
    logits: Tensor, temperature: float, seed: int, place: int, permitted: Sequence[Tensor] = ()
) -> Chosen:
    return chooser(temperature, seed)(predictions(logits), permitted, place)


@given(rows=st.integers(1, 5), cut=st.integers(0, 5), seed=st.integers(-(2**40), 2**40))
def test_a_draw_depends_on_its_place_and_not_on_the_slots_beside_it(
    rows: int, cut: int, seed: int
) -> None:
    logits = torch.randn(rows, 30, generator=torch.Generator().manual_seed(rows))
    together = chosen(logits, 1.0, seed, 7)
    cut = min(cut, rows)
    apart = [
        token
        for part, place in ((logits[:cut], 7), (logits[cut:], 7 + cut))
        if len(part)
        for token in chosen(part, 1.0, seed, place).tokens
    ]
    assert list(together.tokens) == apart


def test_draws_follow_the_distribution_at_the_temperature() -> None:
    logits = torch.tensor([[0.0, 1.0, 2.0]])
    expected = torch.softmax(logits[0] / 0.5, dim=-1)
    drawn = torch.tensor([chosen(logits, 0.5, seed, 0).tokens[0] for seed in range(4000)])
    shares = torch.bincount(drawn, minlength=3) / len(drawn)
    torch.testing.assert_close(shares, expected, atol=0.03, rtol=0)


def test_without_temperature_the_most_probable_token_is_chosen() -> None:
    logits = torch.tensor([[0.0, 3.0, 1.0], [2.0, 0.0, 1.0]])
    assert chosen(logits, 0.0, 1, 0).tokens == (1, 0)


@pytest.mark.parametrize("temperature", [0.0, 0.7])
def test_nothing_is_chosen_that_is_not_permitted(temperature: float) -> None:
    logits = torch.tensor([[0.0, 9.0, 1.0, 9.0], [0.0, 0.0, 50.0, 0.0]])
    permitted = torch.tensor([0, 2])
    for seed in range(20):
        found = chosen(logits, temperature, seed, 3, [permitted])
        among = logits[0, permitted].log_softmax(0)
        assert found.tokens[0] in (0, 2)
        assert found.tokens[1] == 2
        expected = float(among[permitted.tolist().index(found.tokens[0])])
        assert found.log_probabilities == pytest.approx((expected, 0.0), abs=1e-5)


@pytest.mark.parametrize("temperature", [0.0, 0.7])
def test_the_log_probability_is_the_models_own(temperature: float) -> None:
    logits = torch.randn(4, 30, generator=torch.Generator().manual_seed(1))
    found = chosen(logits, temperature, 5, 0)
    expected = logits.log_softmax(-1)[range(4), list(found.tokens)]
    assert found.log_probabilities == pytest.approx(expected.tolist(), abs=1e-5)


def test_choosing_greedily_wants_all_logits_from_nobody() -> None:
    head, logits = Identity(), torch.randn(3, 9)
    greedy = chooser(0.0, 1)(predictions(logits, head), (), 0)
    assert head.asked == 0

    asked = predictions(logits, head)
    assert torch.equal(asked.logits, logits)
    assert chooser(0.0, 1)(asked, (), 0) == greedy
    assert head.asked == 1  # what is there already is not computed again
