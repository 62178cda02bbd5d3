"""Rotary embedding and canvas attention as one: the projections in, what was attended to out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from midfill.kernels.canvas_attention import attention_bias, canvas_attention
from midfill.kernels.native.calls import AttentionCall
from midfill.kernels.rotary import RotaryTable, rotate

if TYPE_CHECKING:
    from torch import Tensor

    from midfill.kernels.native.library import NativeLibrary


def rotary_attention(
    projected: Tensor,
    angles: RotaryTable,
    visible: Tensor,
    keys: Tensor,
    values: Tensor,
    context: int,
    native: NativeLibrary | None,
) -> Tensor:
    """Turn queries and keys, write the canvas's keys behind the context's, and attend.

    Args:
        projected: (slots, (query_heads + 2 key_heads) head_size) float32: queries, keys, values.
        angles: of the slots' positions, (slots, head_size).
        visible: (slots, slots) bool, which slot (row) sees which; all see the context.
        keys, values: (key_heads, capacity, head_size) bfloat16; slots are written from ``context``.
        context: cached tokens.
        native: computes it, if there is such a library; else plain torch does.

    Returns:
        (slots, query_heads * head_size) float32.

    Source: online softmax, arXiv 1805.02867; blocks of keys, arXiv 2205.14135.
    """
    slots = projected.shape[0]
    key_heads, capacity, size = keys.shape
    query_heads = projected.shape[1] // size - 2 * key_heads
    if native is None:
        return _in_torch(projected, angles, visible, keys, values, context, query_heads)
    attended = projected.new_empty(slots, query_heads * size)
    visible = visible.contiguous()
    cosine, sine = angles.cos.contiguous(), angles.sin.contiguous()
    call = AttentionCall()
    call.projected, call.attended = projected.data_ptr(), attended.data_ptr()
    call.cosine, call.sine = cosine.data_ptr(), sine.data_ptr()
    call.visible = visible.data_ptr()
    call.keys, call.values = keys.data_ptr(), values.data_ptr()
    call.slots, call.context, call.capacity = slots, context, capacity
    call.query_heads, call.key_heads, call.head_size = query_heads, key_heads, size
    native.canvas_attention(call)
    return attended


def _in_torch(
    projected: Tensor,
    angles: RotaryTable,
    visible: Tensor,
    keys: Tensor,
    values: Tensor,
    context: int,
    query_heads: int,
) -> Tensor:
    slots = projected.shape[0]
    key_heads, _, size = keys.shape
    query, key, value = projected.split_with_sizes(
        (query_heads * size, key_heads * size, key_heads * size), dim=-1
    )
    query = rotate(query.view(slots, query_heads, size), angles)
    key = rotate(key.view(slots, key_heads, size), angles)
    end = context + slots
    keys[:, context:end] = key.transpose(0, 1)
    values[:, context:end] = value.view(slots, key_heads, size).transpose(0, 1)
    bias = attention_bias(visible, context, query_heads // key_heads, projected.dtype)
    return canvas_attention(query, keys[:, :end].float(), values[:, :end].float(), bias)
