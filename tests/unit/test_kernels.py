"""Each operation against a straightforward way of computing it."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from midfill.kernels.adapted_linear import LowRank, adapted_linear
from midfill.kernels.canvas_attention import (
    attention_bias,
    canvas_attention,
    causal_attention,
    in_place_attention,
)
from midfill.kernels.gated_linear import gated_linear
from midfill.kernels.norm_linear import norm_linear
from midfill.kernels.rms_norm import rms_norm
from midfill.kernels.rotary import RotaryTable, rotate


@given(rows=st.integers(1, 5), known=st.integers(0, 5), seed=st.integers(0, 99))
def test_the_adapter_acts_on_mask_rows_and_on_no_others(rows: int, known: int, seed: int) -> None:
    torch.manual_seed(seed)
    known = min(known, rows)
    x, weight, bias = torch.randn(rows, 8), torch.randn(6, 8), torch.randn(6)
    adapter = LowRank(torch.randn(8, 2), torch.randn(2, 6))
    y = adapted_linear(x, weight, bias, adapter, known)
    base = x @ weight.T + bias
    torch.testing.assert_close(y[:known], base[:known])
    torch.testing.assert_close(y[known:], (base + x @ adapter.a @ adapter.b)[known:])


@given(
    slots=st.integers(1, 6),
    context=st.integers(0, 9),
    group=st.sampled_from([1, 2, 7]),
    seed=st.integers(0, 99),
)
def test_canvas_attention_is_softmax_attention_over_what_is_visible(
    slots: int, context: int, group: int, seed: int
) -> None:
    torch.manual_seed(seed)
    key_heads, size = 2, 4
    visible = torch.rand(slots, slots) < 0.5
    visible |= torch.eye(slots, dtype=torch.bool)
    queries = torch.randn(slots, key_heads * group, size)
    keys = torch.randn(key_heads, context + slots, size)
    values = torch.randn(key_heads, context + slots, size)
    bias = attention_bias(visible, context, group, torch.float32)
    attended = canvas_attention(queries, keys, values, bias).view(slots, -1, size)
    for slot in range(slots):
        seen = [*range(context), *(context + c for c in range(slots) if visible[slot, c])]
        for head in range(key_heads * group):
            k, v = keys[head // group, seen], values[head // group, seen]
            weights = torch.softmax(k @ queries[slot, head] / math.sqrt(size), dim=0)
            torch.testing.assert_close(attended[slot, head], weights @ v, atol=1e-5, rtol=1e-4)


@given(slots=st.integers(1, 9), group=st.sampled_from([1, 2, 7]), seed=st.integers(0, 99))
def test_causal_attention_is_canvas_attention_over_a_causal_canvas(
    slots: int, group: int, seed: int
) -> None:
    torch.manual_seed(seed)
    queries = torch.randn(slots, 2 * group, 4)
    keys, values = torch.randn(2, slots, 4), torch.randn(2, slots, 4)
    causal = torch.ones(slots, slots, dtype=torch.bool).tril()
    bias = attention_bias(causal, 0, group, torch.float32)
    torch.testing.assert_close(
        causal_attention(queries, keys, values), canvas_attention(queries, keys, values, bias)
    )


@given(
    slots=st.integers(1, 5),
    context=st.integers(0, 6),
    suffix=st.integers(0, 6),
    room=st.none() | st.integers(0, 5),
    masked=st.booleans(),
    seed=st.integers(0, 99),
)
def test_in_place_attention_sees_context_and_suffix_and_no_room_behind_them(
    slots: int, context: int, suffix: int, room: int | None, masked: bool, seed: int
) -> None:
    torch.manual_seed(seed)
    count = context + slots + suffix
    visible = torch.rand(slots, slots) < 0.5
    visible |= torch.eye(slots, dtype=torch.bool)
    queries = torch.randn(slots, 4, 8)
    keys, values = torch.randn(2, 2, count + (room or 0), 8).unbind(0)
    used = None if room is None else torch.tensor([count])
    attended = in_place_attention(
        queries, keys, values, visible if masked else None, context, used
    ).view(slots, 4, 8)
    for slot in range(slots):
        seen = [
            place
            for place in range(count)
            if not (masked and 0 <= place - context < slots) or visible[slot, place - context]
        ]
        for head in range(4):
            k, v = keys[head // 2, seen], values[head // 2, seen]
            weights = torch.softmax(k @ queries[slot, head] / math.sqrt(8), dim=0)
            torch.testing.assert_close(attended[slot, head], weights @ v, atol=1e-5, rtol=1e-4)


@given(rows=st.integers(1, 5), known=st.integers(0, 5), seed=st.integers(0, 99))
def test_layers_behind_a_norm_are_norm_and_products_one_after_the_other(
    rows: int, known: int, seed: int
) -> None:
    torch.manual_seed(seed)
    known = min(known, rows)
    x, norm, epsilon = 9 * torch.randn(rows, 8), torch.rand(8), 1e-5
    weight, bias = torch.randn(6, 8), torch.randn(6)
    adapter = LowRank(torch.randn(8, 2), torch.randn(2, 6))
    scale = (x.square().mean(-1, keepdim=True) + epsilon).rsqrt()
    normed = x * scale * norm
    products = normed @ weight.T
    products[known:] += normed[known:] @ adapter.a @ adapter.b
    gate, up = products[:, :3], products[:, 3:]

    found = norm_linear(x, norm, epsilon, weight, bias, adapter, known)
    torch.testing.assert_close(found, products + bias, atol=1e-5, rtol=1e-4)
    found = gated_linear(x, norm, epsilon, weight, adapter, known)
    torch.testing.assert_close(found, gate / (1 + (-gate).exp()) * up, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_rms_norm_scales_rows_to_unit_root_mean_square(dtype: torch.dtype) -> None:
    x = (torch.randn(3, 64) * 10).to(dtype)
    normed = rms_norm(x, torch.ones(64), 1e-6)
    assert normed.dtype == dtype
    torch.testing.assert_close(
        normed.float().square().mean(-1), torch.ones(3), atol=2e-2, rtol=2e-2
    )


def test_rotation_keeps_lengths_and_makes_products_depend_on_distance_alone() -> None:
    table = RotaryTable.build(64, 8, 10_000.0, torch.device("cpu"))
    query, key = torch.randn(1, 1, 8), torch.randn(1, 1, 8)

    def product(at_query: int, at_key: int) -> torch.Tensor:
        turned_query = rotate(query, table.at(torch.tensor([at_query])))
        turned_key = rotate(key, table.at(torch.tensor([at_key])))
        torch.testing.assert_close(turned_query.norm(), query.norm())
        return (turned_query * turned_key).sum()

    torch.testing.assert_close(product(5, 3), product(40, 38))
    torch.testing.assert_close(rotate(query, table.at(torch.tensor([0]))), query)
