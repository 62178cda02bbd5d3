"""What is read off a slot's logits, against the definition in float64."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from midfill.kernels.unmask import NO_TOKEN, unmask

pytestmark = pytest.mark.usefixtures("one_thread")

logit = st.one_of(st.floats(-50, 50, width=32), st.just(-math.inf), st.sampled_from([0.0, 1.0]))
row = st.lists(logit, min_size=1, max_size=30).filter(lambda row: max(row) > -math.inf)


@given(row=row, temperature=st.floats(0.05, 20))
def test_unmask_is_the_argmax_its_probability_and_the_entropy(
    row: list[float], temperature: float
) -> None:
    found = unmask(torch.tensor([row]), temperature)

    weights = [math.exp((z - max(row)) / temperature) for z in row]
    probabilities = [weight / sum(weights) for weight in weights]
    entropy = -sum(p * math.log(p) for p in probabilities if p > 0)
    assert found.tokens.tolist() == [row.index(max(row))]  # of equal ones the lowest
    assert found.probabilities.item() == pytest.approx(max(probabilities), rel=1e-5)
    assert found.entropies.item() == pytest.approx(entropy, rel=1e-4, abs=1e-5)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
def test_all_float_dtypes_give_float32(dtype: torch.dtype) -> None:
    found = unmask(torch.tensor([[0.0, 2.0, -1.0]] * 3, dtype=dtype))
    assert found.tokens.dtype == torch.long
    assert found.probabilities.dtype == found.entropies.dtype == torch.float32
    assert found.probabilities.shape == found.entropies.shape == (3,)


@pytest.mark.parametrize("bad", [[math.nan, 1.0], [math.inf, 1.0], [-math.inf, -math.inf]])
def test_a_slot_without_a_distribution_says_so_and_leaves_others_alone(bad: list[float]) -> None:
    found = unmask(torch.tensor([[0.0, 3.0], bad]))
    assert found.tokens.tolist() == [1, NO_TOKEN]
    assert found.probabilities.isnan().tolist() == [False, True]
    assert found.entropies.isnan().tolist() == [False, True]


def test_one_allowed_token_is_certain() -> None:
    logits = torch.full((1, 100), -math.inf)
    logits[0, 42] = -7
    found = unmask(logits, 0.5)
    assert (found.tokens.item(), found.probabilities.item(), found.entropies.item()) == (42, 1, 0)


def test_equal_logits_are_as_open_as_can_be() -> None:
    found = unmask(torch.zeros(1, 1000))
    assert found.tokens.item() == 0
    assert found.entropies.item() == pytest.approx(math.log(1000))


@pytest.mark.parametrize("temperature", [0.0, -1.0, math.nan, math.inf, 1e-300])
def test_what_is_no_temperature_is_refused(temperature: float) -> None:
    with pytest.raises(ValueError, match="temperature"):
        unmask(torch.zeros(1, 2), temperature)
