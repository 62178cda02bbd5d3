"""Choosing tokens: greedily, or by chance that can be repeated."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from midfill.inference.choosing import chooser


@given(rows=st.integers(1, 5), cut=st.integers(0, 5), seed=st.integers(-(2**40), 2**40))
def test_a_draw_depends_on_its_place_and_not_on_the_slots_beside_it(
    rows: int, cut: int, seed: int
) -> None:
    logits = torch.randn(rows, 30, generator=torch.Generator().manual_seed(rows))
    together = chooser(1.0, seed)(logits, 7)
    cut = min(cut, rows)
    apart = [
        token
        for part, place in ((logits[:cut], 7), (logits[cut:], 7 + cut))
        if len(part)
        for token in chooser(1.0, seed)(part, place).tolist()
    ]
    assert together.tolist() == apart


def test_draws_follow_the_distribution_at_the_temperature() -> None:
    logits = torch.tensor([[0.0, 1.0, 2.0]])
    expected = torch.softmax(logits[0] / 0.5, dim=-1)
    drawn = torch.tensor([chooser(0.5, seed)(logits, 0).item() for seed in range(4000)])
    shares = torch.bincount(drawn, minlength=3) / len(drawn)
    torch.testing.assert_close(shares, expected, atol=0.03, rtol=0)


def test_without_temperature_the_most_probable_token_is_chosen() -> None:
    assert chooser(0.0, 1)(torch.tensor([[0.0, 3.0, 1.0], [2.0, 0.0, 1.0]]), 0).tolist() == [1, 0]
