"""Temperature and nucleus: reshaping a distribution before anything is chosen from it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from midfill.inference.samplers.filtering import nucleus, with_temperature

if TYPE_CHECKING:
    from torch import Tensor

FORBIDDEN = -torch.inf


@st.composite
def rows(draw: st.DrawFn) -> Tensor:
    """Logits with forbidden tokens among them, at least one allowed in each row."""
    slots, vocab = draw(st.integers(0, 5)), draw(st.integers(1, 12))
    random = torch.Generator().manual_seed(draw(st.integers(0, 2**32)))
    logits = draw(st.sampled_from([0.0, 1.0, 30.0])) * torch.randn(slots, vocab, generator=random)
    logits[torch.rand(slots, vocab, generator=random) < draw(st.sampled_from([0.0, 0.4]))] = (
        FORBIDDEN
    )
    logits[:, 0] = logits[:, 0].clamp(min=-5.0)
    return logits.to(draw(st.sampled_from([torch.float32, torch.bfloat16, torch.float16])))


@given(logits=rows(), temperature=st.floats(0.05, 2.0))
def test_temperature_divides_the_logits(logits: Tensor, temperature: float) -> None:
    expected = torch.softmax(logits.double() / temperature, -1).float()
    scaled = with_temperature(logits, temperature)
    assert scaled.dtype == torch.float32
    torch.testing.assert_close(scaled.softmax(-1), expected)


def test_temperature_one_changes_no_probability() -> None:
    logits = torch.tensor([[0.5, 0.25, 0.25]]).log()
    torch.testing.assert_close(with_temperature(logits, 1.0).softmax(-1), logits.exp())
    squares = torch.tensor([[4 / 6, 1 / 6, 1 / 6]])
    torch.testing.assert_close(with_temperature(logits, 0.5).softmax(-1), squares)


@given(logits=rows(), temperature=st.floats(1e-320, 1e-20))
def test_no_temperature_is_too_small(logits: Tensor, temperature: float) -> None:
    probabilities = with_temperature(logits, temperature).softmax(-1)
    largest = (logits == logits.amax(-1, keepdim=True)).float()
    torch.testing.assert_close(probabilities, largest / largest.sum(-1, keepdim=True))


def test_rows_without_any_token_stay_so() -> None:
    nothing = torch.full((1, 4), FORBIDDEN)
    assert torch.equal(with_temperature(nothing, 0.5), nothing)
    assert torch.equal(nucleus(nothing, 0.5), nothing)


@pytest.mark.parametrize("temperature", [0.0, -1.0, float("nan")])
def test_a_temperature_has_to_be_above_zero(temperature: float) -> None:
    with pytest.raises(ValueError, match="temperature"):
        with_temperature(torch.zeros(1, 2), temperature)


@given(logits=rows(), top_p=st.floats(0.001, 1.0, exclude_max=True))
def test_the_nucleus_is_the_smallest_set_of_top_tokens_with_the_mass(
    logits: Tensor, top_p: float
) -> None:
    kept = nucleus(logits, top_p)
    assert kept.dtype == torch.float32
    for row, before in zip(kept, logits.float(), strict=True):
        masses = before.double().softmax(-1)
        inside = row > FORBIDDEN
        assert inside.any()
        assert torch.equal(row[inside], before[inside])
        if (~inside).any():
            assert masses[inside].min() >= masses[~inside].max()
            assert masses[inside].sum() >= top_p - 1e-9
        assert masses[inside].sum() - masses[inside].min() < top_p + 1e-9


def test_the_nucleus_of_a_distribution_worked_by_hand() -> None:
    logits = torch.tensor([[0.125, 0.5, 0.25, 0.125]]).log()

    def kept(top_p: float) -> list[bool]:
        return (nucleus(logits, top_p) > FORBIDDEN)[0].tolist()

    assert kept(0.01) == [False, True, False, False]
    assert kept(0.49) == [False, True, False, False]
    assert kept(0.51) == [False, True, True, False]
    assert kept(0.76) == [True, True, True, False]
    assert kept(0.88) == [True, True, True, True]


def test_of_equally_probable_tokens_the_lower_id_stays() -> None:
    kept = nucleus(torch.zeros(2, 8), 0.3)
    assert (kept > FORBIDDEN).tolist() == [[True] * 3 + [False] * 5] * 2


def test_a_whole_nucleus_is_the_distribution_itself() -> None:
    logits = 20 * torch.randn(3, 500, generator=torch.Generator().manual_seed(0))
    assert torch.equal(nucleus(logits, 1.0), logits)


def test_the_many_rare_tokens_of_a_large_vocabulary_count() -> None:
    """Half the mass on one token and the rest spread thinly: added up in float32 it would stall."""
    vocab = 200_001
    logits = torch.zeros(1, vocab)
    logits[0, 0] = torch.tensor(float(vocab - 1)).log()
    kept = int((nucleus(logits, 0.95) > FORBIDDEN).sum())
    assert abs(kept - (1 + 0.9 * (vocab - 1))) < 100


@pytest.mark.parametrize("top_p", [0.0, 1.5, -0.1, float("nan")])
def test_a_nucleus_holds_a_share(top_p: float) -> None:
    with pytest.raises(ValueError, match="share"):
        nucleus(torch.zeros(1, 2), top_p)
