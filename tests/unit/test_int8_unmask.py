"""The output head and what is read off its logits, as one, against one after the other."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from midfill.kernels.int8_linear import Int8Linear, int8_linear
from midfill.kernels.int8_matrix import Int8Matrix
from midfill.kernels.int8_unmask import int8_best, int8_unmask
from midfill.kernels.native.library import INSTRUCTION_SETS, NativeLibrary, built_library
from midfill.kernels.permitted import restricted
from midfill.kernels.unmask import NO_TOKEN, unmask

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

BUILT = built_library()
PLAIN = "plain torch"

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module", params=[*INSTRUCTION_SETS, PLAIN])
def native(request: pytest.FixtureRequest) -> Iterator[NativeLibrary | None]:
    if request.param == PLAIN:
        yield None
        return
    if BUILT is None:
        pytest.skip("there was no C++ compiler")
    library = NativeLibrary(BUILT)
    before = library.instruction_set
    if not library.use_instruction_set(request.param):
        pytest.skip(f"this processor has no {request.param}")
    yield library
    library.use_instruction_set(before)


def random(seed: int, *shape: int, scale: float = 1.0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed)) * scale


def logits_of(head: Int8Matrix, states: Tensor, native: NativeLibrary | None) -> Tensor:
    return int8_linear(Int8Linear(head), states, len(states), native)


@settings(max_examples=40)
@given(
    seed=st.integers(0, 1000),
    slots=st.integers(1, 40),
    panels=st.one_of(st.integers(1, 50), st.sampled_from([16, 32])),
    width=st.sampled_from([16, 64, 112]),
    scale=st.sampled_from([0.0, 0.05, 1.0, 30.0]),
    restricted_slots=st.integers(0, 4),
)
def test_it_is_unmask_of_the_logits(
    native: NativeLibrary | None,
    seed: int,
    slots: int,
    panels: int,
    width: int,
    scale: float,
    restricted_slots: int,
) -> None:
    head = Int8Matrix.of(random(seed, 16 * panels, width))
    states = random(seed + 1, slots, width, scale=scale)
    permitted = [
        (random(seed + 2 + i, head.outputs) > i).nonzero().flatten()
        for i in range(min(restricted_slots, slots))
    ]
    permitted = [tokens if len(tokens) else torch.tensor([3]) for tokens in permitted]
    logits = restricted(logits_of(head, states, native), permitted)

    # In float64: an entropy near 0 is not much in float32.
    found, expected = int8_unmask(head, states, native, permitted), unmask(logits.double())

    # Argmax takes any of equal logits; the lowest token is the one that is wanted.
    lowest = (logits == logits.amax(-1, keepdim=True)).long().argmax(-1)
    assert torch.equal(found.tokens, lowest)
    torch.testing.assert_close(found.probabilities, expected.probabilities, rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(found.entropies, expected.entropies, rtol=1e-4, atol=3e-5)
    if not permitted:
        assert torch.equal(int8_best(head, states, native), found.tokens)


def test_of_equal_logits_the_lowest_token_wins_wherever_it_stands(
    native: NativeLibrary | None,
) -> None:
    row, low = random(0, 64), random(1, 1, 64, scale=0.01)
    for equal in ([3, 4], [15, 16], [255, 256], [7, 600], [640, 647, 1000]):
        weight = low.repeat(1024, 1)
        weight[equal] = row
        head = Int8Matrix.of(weight)
        states = row[None].contiguous()
        assert int8_unmask(head, states, native).tokens.tolist() == [equal[0]]
        assert int8_best(head, states, native).tolist() == [equal[0]]


def test_a_slot_without_a_distribution_has_no_token_and_spoils_no_other(
    native: NativeLibrary | None,
) -> None:
    head = Int8Matrix.of(random(0, 320, 32))
    states = random(1, 4, 32)
    states[1, 5], states[2, 7] = math.nan, math.inf
    nothing = torch.empty(0, dtype=torch.long)
    found = int8_unmask(head, states, native, [nothing])

    assert found.tokens[:3].tolist() == [NO_TOKEN] * 3
    assert found.probabilities[:3].isnan().all()
    assert found.entropies[:3].isnan().all()
    alone = int8_unmask(head, states[3:], native)
    assert torch.equal(found.tokens[3:], alone.tokens)
    assert torch.equal(found.probabilities[3:], alone.probabilities)
    assert int8_best(head, states, native).tolist()[1:3] == [NO_TOKEN] * 2


def test_the_outcome_is_the_same_for_any_number_of_threads(native: NativeLibrary | None) -> None:
    if native is None:
        pytest.skip("threads are the library's")
    head, states = Int8Matrix.of(random(0, 5120, 64)), random(1, 7, 64)
    found = []
    for threads in (1, 3):
        native.use_threads(threads)
        found.append(int8_unmask(head, states, native))
    native.use_threads(2)
    assert torch.equal(found[0].tokens, found[1].tokens)
    assert torch.equal(found[0].probabilities, found[1].probabilities)
    assert torch.equal(found[0].entropies, found[1].entropies)
