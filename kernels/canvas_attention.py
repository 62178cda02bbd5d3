"""Attention of a canvas over the cached context and itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.nn import functional as F

from midfill.kernels.dispatch import uses_triton

if TYPE_CHECKING:
    from torch import Tensor


def attention_bias(visible: Tensor, context: int, group: int, dtype: torch.dtype) -> Tensor:
    """The additive mask that `canvas_attention` takes; the same for every layer of a step.

    Args:
        visible: (slots, slots) bool, which slot (row) sees which (column). All see the context.
        context: cached tokens before the canvas.
        group: query heads for each key head.
        dtype: that of the queries.

    Returns:
        (group * slots, context + slots): 0 where visible, -inf elsewhere.
    """
    slots = visible.shape[0]
    bias = torch.zeros(slots, context + slots, dtype=dtype, device=visible.device)
    bias[:, context:].masked_fill_(~visible, float("-inf"))
    return bias.repeat(group, 1)


def causal_attention(queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
    """`canvas_attention` where nothing is cached and every slot sees itself and all before it.

    Knowing that, the kernel skips the half that nobody sees.
    """
    attended = F.scaled_dot_product_attention(
        queries.transpose(0, 1)[None], keys[None], values[None], is_causal=True, enable_gqa=True
    )
    return attended[0].transpose(0, 1).reshape(queries.shape[0], -1)


def canvas_attention(queries: Tensor, keys: Tensor, values: Tensor, bias: Tensor) -> Tensor:
    """Grouped-query attention of a few slots over [cached context | canvas].

    The query heads that share a key head are laid out as further rows of it, so that keys and
    values are read once and never repeated.

    Args:
        queries: (slots, query_heads, head_size).
        keys, values: (key_heads, context + slots, head_size); the canvas's own stand last.
        bias: (group * slots, context + slots) from `attention_bias`.

    Returns:
        (slots, query_heads * head_size).
    """
    slots, _, size = queries.shape
    if uses_triton("canvas_attention", queries, keys, values, bias, width=size, rows=slots):
        from midfill.kernels.triton.canvas_attention import canvas_attention as in_triton

        context = keys.shape[1] - slots
        return in_triton(queries, keys, values, bias[:slots, context:], context)
    return canvas_attention_in_torch(queries, keys, values, bias)


def canvas_attention_in_torch(
    queries: Tensor, keys: Tensor, values: Tensor, bias: Tensor | None
) -> Tensor:
    """`canvas_attention` in plain torch: the reference.

    Here ``bias`` may also be bool, broadcast from (1, keys), or none where all see all.
    """
    slots, query_heads, head_size = queries.shape
    key_heads = keys.shape[0]
    group = query_heads // key_heads
    rows = queries.view(slots, key_heads, group, head_size).permute(1, 2, 0, 3)
    attended = F.scaled_dot_product_attention(
        rows.reshape(1, key_heads, group * slots, head_size), keys[None], values[None], bias
    )
    return (
        attended.view(key_heads, group, slots, head_size)
        .permute(2, 0, 1, 3)
        .reshape(slots, query_heads * head_size)
    )


def in_place_attention(
    queries: Tensor,
    keys: Tensor,
    values: Tensor,
    visible: Tensor | None = None,
    context: int = 0,
    used: Tensor | None = None,
) -> Tensor:
    """`canvas_attention` of a canvas with a cached suffix behind it, which all slots see too.

    Args:
        queries: (slots, query_heads, head_size).
        keys, values: (key_heads, context + slots + suffix, head_size), and room behind that, if
            ``used`` says so.
        visible: (slots, slots) bool, which slot (row) sees which (column); if not given, all see
            all.
        context: cached tokens before the canvas; of no consequence where all see all.
        used: (1,) long on the keys' device, how many keys there are. A tensor, so that captured
            graphs may be told another number. All of them if not given.

    Returns:
        (slots, query_heads * head_size).
    """
    slots, _, size = queries.shape
    if uses_triton("canvas_attention", queries, keys, values, width=size, rows=slots):
        from midfill.kernels.triton.canvas_attention import canvas_attention as in_triton

        return in_triton(queries, keys, values, visible, context, used=used)
    return in_place_attention_in_torch(queries, keys, values, visible, context, used)


def in_place_attention_in_torch(
    queries: Tensor,
    keys: Tensor,
    values: Tensor,
    visible: Tensor | None = None,
    context: int = 0,
    used: Tensor | None = None,
) -> Tensor:
    """`in_place_attention` in plain torch: the reference."""
    bias: Tensor | None = None
    if used is not None:
        bias = (torch.arange(keys.shape[1], device=keys.device) < used)[None]
    if visible is not None:
        group = queries.shape[1] // keys.shape[0]
        of_canvas = attention_bias(visible, context, group, queries.dtype)
        of_canvas = F.pad(of_canvas, (0, keys.shape[1] - of_canvas.shape[1]))
        bias = of_canvas if bias is None else of_canvas.masked_fill(~bias, float("-inf"))
    return canvas_attention_in_torch(queries, keys, values, bias)
