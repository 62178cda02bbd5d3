"""Attention of a canvas, split over the keys.

A program goes through some of the keys for the slots and heads that share a key head, with an
online softmax. The mask is read for the canvas's own keys only: all slots see all of the rest.
Where the keys were split, a second kernel weighs the parts by what each has summed up. How many
keys there are may stand in memory: graphs are captured once for all lengths of a buffer.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
import triton
import triton.language as tl

from midfill.kernels.triton.launching import (
    LEAST_DOT,
    PRECISION,
    block,
    on_device_of,
    operand_type,
    parts,
)

if TYPE_CHECKING:
    from torch import Tensor

BLOCK_BYTES = 8192
"""Of keys, and of queries, that a program holds at once; all of it together stays below 99 KiB of
shared memory, which every card has from compute capability 8.0 on."""

SHORTEST_PART = 256
STAGES = 2  # blocks of keys on their way at once


@triton.jit(  # type: ignore[untyped-decorator]
    # They change from step to step, and each change would compile the kernel anew.
    do_not_specialize=["context", "slots", "key_count", "part_size", "mask_row"],
    do_not_specialize_on_alignment=["mask", "used"],
)
def _attend(
    queries: tl.tensor,
    keys: tl.tensor,
    values: tl.tensor,
    mask: tl.tensor,
    used: tl.tensor,
    attended: tl.tensor,
    peaks: tl.tensor,
    sums: tl.tensor,
    scale: tl.tensor,
    context: tl.tensor,
    slots: tl.tensor,
    key_count: tl.tensor,
    part_size: tl.tensor,
    query_slot: tl.tensor,
    query_head: tl.tensor,
    key_head: tl.tensor,
    key_token: tl.tensor,
    value_head: tl.tensor,
    value_token: tl.tensor,
    mask_row: tl.tensor,
    mask_column: tl.tensor,
    group: tl.constexpr,
    size: tl.constexpr,
    masked: tl.constexpr,
    boolean: tl.constexpr,
    counted: tl.constexpr,
    whole: tl.constexpr,
    row_block: tl.constexpr,
    key_block: tl.constexpr,
    size_block: tl.constexpr,
    operand: tl.constexpr,
    precision: tl.constexpr,
) -> None:
    head, part = tl.program_id(0), tl.program_id(1)
    row = tl.program_id(2) * row_block + tl.arange(0, row_block)
    slot, member = row // group, head * group + row % group
    row_there = slot < slots
    dimension = tl.arange(0, size_block)
    of_head = dimension < size
    query = tl.load(
        queries + (slot * query_slot + member * query_head)[:, None] + dimension[None, :],
        mask=row_there[:, None] & of_head[None, :],
        other=0.0,
    ).to(operand)
    peak = tl.full((row_block,), float("-inf"), tl.float32)
    total = tl.zeros((row_block,), tl.float32)
    sum_of_values = tl.zeros((row_block, size_block), tl.float32)
    end = tl.minimum((part + 1) * part_size, key_count)
    if counted:
        end = tl.minimum(end, tl.load(used).to(tl.int32))
    for start in range(part * part_size, end, key_block):
        place = start + tl.arange(0, key_block)
        key_there = place < end
        there = key_there[:, None] & of_head[None, :]
        key = tl.load(
            keys + head * key_head + place[:, None] * key_token + dimension[None, :],
            mask=there,
            other=0.0,
        ).to(operand)
        score = tl.dot(query, tl.trans(key), input_precision=precision) * scale
        if masked:
            column = place - context
            of_canvas = (column >= 0) & (column < slots)
            masks = mask + slot[:, None] * mask_row + column[None, :] * mask_column
            read = row_there[:, None] & of_canvas[None, :]
            if boolean:
                score = tl.where(tl.load(masks, mask=read, other=1) != 0, score, float("-inf"))
            else:
                score += tl.load(masks, mask=read, other=0.0).to(tl.float32)
        score = tl.where(key_there[None, :], score, float("-inf"))
        new = tl.maximum(peak, tl.max(score, 1))
        origin = tl.where(new == float("-inf"), 0.0, new)
        keep = tl.exp(peak - origin)
        weight = tl.exp(score - origin[:, None])
        value = tl.load(
            values + head * value_head + place[:, None] * value_token + dimension[None, :],
            mask=there,
            other=0.0,
        ).to(operand)
        total = total * keep + tl.sum(weight, 1)
        sum_of_values = tl.dot(
            weight.to(operand), value, sum_of_values * keep[:, None], input_precision=precision
        )
        peak = new
    heads = tl.num_programs(0)
    inside = row_there[:, None] & of_head[None, :]
    to_row = slot * heads * group + member  # of (slots, query_heads)
    if whole:
        total = tl.where(total == 0, 1.0, total)
        out = (sum_of_values / total[:, None]).to(attended.dtype.element_ty)
        tl.store(attended + to_row[:, None] * size + dimension[None, :], out, mask=inside)
    else:
        to_part = part * slots * heads * group + to_row
        tl.store(peaks + to_part, peak, mask=row_there)
        tl.store(sums + to_part, total, mask=row_there)
        to_values = attended + to_part[:, None] * size + dimension[None, :]
        tl.store(to_values, sum_of_values, mask=inside)


@triton.jit(do_not_specialize=["part_count"])  # type: ignore[untyped-decorator]
def _combine(
    parts: tl.tensor,
    peaks: tl.tensor,
    sums: tl.tensor,
    attended: tl.tensor,
    part_count: tl.tensor,
    size: tl.constexpr,
    part_block: tl.constexpr,
    size_block: tl.constexpr,
) -> None:
    row, rows = tl.program_id(0), tl.num_programs(0)
    part = tl.arange(0, part_block)
    dimension = tl.arange(0, size_block)
    part_there, of_head = part < part_count, dimension < size
    place = part * rows + row
    peak = tl.load(peaks + place, mask=part_there, other=float("-inf"))
    total = tl.load(sums + place, mask=part_there, other=0.0)
    sum_of_values = tl.load(
        parts + place[:, None] * size + dimension[None, :],
        mask=part_there[:, None] & of_head[None, :],
        other=0.0,
    )
    highest = tl.max(peak, 0)
    keep = tl.exp(peak - tl.where(highest == float("-inf"), 0.0, highest))
    total = tl.sum(total * keep, 0)
    total = tl.where(total == 0, 1.0, total)
    out = tl.sum(sum_of_values * keep[:, None], 0) / total
    tl.store(attended + row * size + dimension, out.to(attended.dtype.element_ty), mask=of_head)


def canvas_attention(
    queries: Tensor,
    keys: Tensor,
    values: Tensor,
    mask: Tensor | None,
    context: int,
    split: int | None = None,
    used: Tensor | None = None,
) -> Tensor:
    """Grouped-query attention of a few slots over [context | canvas | suffix].

    Args:
        queries: (slots, query_heads, head_size), float32, float16 or bfloat16.
        keys, values: (key_heads, context + slots + suffix, head_size) in the same dtype.
        mask: (slots, slots), which slot (row) sees which: bool, or a float that is added to scores.
            All slots see the context and the suffix, and without a mask one another.
        context: cached tokens before the canvas.
        split: into how many parts to split the keys; as many as the device needs if not given.
        used: (1,) long, how many of the keys count; all if not given.

    Returns:
        (slots, query_heads * head_size); zeros for a slot that sees nothing.

    Source: online softmax, arXiv 1805.02867; parts of the keys side by side, arXiv 2311.01282.
    """
    slots, query_heads, size = queries.shape
    key_heads, key_count, _ = keys.shape
    group = query_heads // key_heads
    attended = queries.new_empty(slots, query_heads * size)
    if slots == 0:
        return attended
    queries, keys, values = (
        tensor if tensor.stride(2) == 1 else tensor.contiguous()
        for tensor in (queries, keys, values)
    )
    masked = mask is not None
    mask = queries[:, 0] if mask is None else mask  # what is not read has to be a pointer
    boolean = mask.dtype == torch.bool
    rows = slots * group
    size_block = block(size, 256)
    most = BLOCK_BYTES // (size_block * queries.element_size())
    row_block, key_block = block(rows, max(most, LEAST_DOT)), block(key_count, max(most, LEAST_DOT))
    row_blocks = triton.cdiv(rows, row_block)
    count = split or parts(key_heads * row_blocks, key_count, SHORTEST_PART, queries.device)
    part_size = triton.cdiv(triton.cdiv(key_count, count), key_block) * key_block
    count = triton.cdiv(key_count, part_size)
    whole = count == 1
    partial = attended if whole else _float32(queries, count, slots, query_heads, size)
    peaks, sums = _float32(queries, 2, count, slots, query_heads).unbind(0)
    with on_device_of(queries):
        _attend[(key_heads, count, row_blocks)](
            queries,
            keys,
            values,
            mask.view(torch.uint8) if boolean else mask,
            mask if used is None else used,
            partial,
            peaks,
            sums,
            1 / math.sqrt(size),
            context,
            slots,
            key_count,
            part_size,
            queries.stride(0),
            queries.stride(1),
            keys.stride(0),
            keys.stride(1),
            values.stride(0),
            values.stride(1),
            mask.stride(0),
            mask.stride(1),
            group=group,
            size=size,
            masked=masked,
            boolean=boolean,
            counted=used is not None,
            whole=whole,
            row_block=row_block,
            key_block=key_block,
            size_block=size_block,
            operand=operand_type(queries.dtype),
            precision=PRECISION,
            num_stages=STAGES,
        )
        if not whole:
            _combine[(slots * query_heads,)](
                partial,
                peaks,
                sums,
                attended,
                count,
                size=size,
                part_block=block(count, 1024, 2),
                size_block=size_block,
            )
    return attended


def _float32(like: Tensor, *shape: int) -> Tensor:
    return torch.empty(shape, dtype=torch.float32, device=like.device)
