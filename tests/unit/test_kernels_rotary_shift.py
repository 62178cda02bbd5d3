"""Keys that are turned on stand where they would have been encoded."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from midfill.kernels.rotary import RotaryTable, rotate
from midfill.kernels.rotary_shift import rotary_frequencies, rotary_shift, shift_angles

pytestmark = pytest.mark.usefixtures("one_thread")

CPU = torch.device("cpu")
sizes = st.sampled_from([2, 8, 64])
deltas = st.integers(-50_000, 50_000)


def some_keys(size: int, seed: int) -> torch.Tensor:
    return torch.randn(2, 5, size, generator=torch.Generator().manual_seed(seed))


def shifted(keys: torch.Tensor, delta: int) -> torch.Tensor:
    return rotary_shift(keys, shift_angles(delta, rotary_frequencies(keys.shape[-1], 1e6), CPU))


@given(size=sizes, start=st.integers(0, 200), delta=st.integers(-200, 200))
def test_shifted_keys_are_those_of_the_new_positions(size: int, start: int, delta: int) -> None:
    new = max(0, start + delta)
    keys = some_keys(size, 0).transpose(0, 1)  # (tokens, heads, size)
    table = RotaryTable.build(500, size, 1e6, CPU)
    before, wanted = (
        rotate(keys, table.at(torch.arange(place, place + 5))).transpose(0, 1)
        for place in (start, new)
    )
    torch.testing.assert_close(shifted(before, new - start), wanted, atol=1e-4, rtol=0)


@given(size=sizes, delta=deltas, seed=st.integers(0, 99))
def test_a_move_back_undoes_a_move(size: int, delta: int, seed: int) -> None:
    keys = some_keys(size, seed)
    torch.testing.assert_close(shifted(shifted(keys, delta), -delta), keys, atol=1e-5, rtol=0)


@given(size=sizes, first=deltas, second=deltas, seed=st.integers(0, 99))
def test_moves_add_up(size: int, first: int, second: int, seed: int) -> None:
    keys = some_keys(size, seed)
    together = shifted(keys, first + second)
    torch.testing.assert_close(shifted(shifted(keys, first), second), together, atol=1e-5, rtol=0)


def test_no_move_changes_nothing() -> None:
    keys = some_keys(64, 0).bfloat16()
    assert torch.equal(shifted(keys, 0), keys)


def test_keys_are_turned_where_they_stand_and_their_neighbours_are_not() -> None:
    cache = torch.randn(2, 9, 8)
    before, suffix = cache.clone(), cache[:, 3:7]
    angles = shift_angles(11, rotary_frequencies(8, 1e4), CPU)

    turned = rotary_shift(suffix, angles, into=suffix)

    assert turned.data_ptr() == suffix.data_ptr()
    torch.testing.assert_close(cache[:, 3:7], rotary_shift(before[:, 3:7], angles))
    assert torch.equal(cache[:, :3], before[:, :3])
    assert torch.equal(cache[:, 7:], before[:, 7:])
