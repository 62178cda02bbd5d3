"""What the kernels of linear layers share: products of rows that may be normalised first.

A program holds some rows and some outputs, and goes through the width in blocks. The scale that a
norm gives a row is found in a pass over the row of its own, which costs little: a canvas has few
rows, and time goes into reading weights.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import triton
import triton.language as tl

if TYPE_CHECKING:
    from torch import Tensor

    from midfill.kernels.adapted_linear import LowRank

MOST_ROWS = 32
MOST_OUTPUTS = 32
MOST_WIDTH_BYTES = 128


@triton.jit  # type: ignore[untyped-decorator]
def row_scales(
    x_rows: tl.tensor,
    row_there: tl.tensor,
    width: tl.tensor,
    epsilon: tl.tensor,
    row_block: tl.constexpr,
    width_block: tl.constexpr,
) -> tl.tensor:
    """(row_block,) float32, what takes each row to unit root mean square."""
    squares = tl.zeros((row_block,), tl.float32)
    for start in range(0, width, width_block):
        place = start + tl.arange(0, width_block)
        there = row_there[:, None] & (place < width)[None, :]
        part = tl.load(x_rows + place[None, :], mask=there, other=0.0).to(tl.float32)
        squares += tl.sum(part * part, 1)
    return tl.rsqrt(squares / width + epsilon)


@triton.jit  # type: ignore[untyped-decorator]
def some_columns(
    x_rows: tl.tensor,
    row_there: tl.tensor,
    norm: tl.tensor,
    scale: tl.tensor,
    place: tl.tensor,
    width: tl.tensor,
    normed: tl.constexpr,
    operand: tl.constexpr,
) -> tl.tensor:
    """(row_block, width_block) of the rows, normalised or as they are."""
    inside = place < width
    there = row_there[:, None] & inside[None, :]
    part = tl.load(x_rows + place[None, :], mask=there, other=0.0)
    if normed:
        weight = tl.load(norm + place, mask=inside, other=0.0).to(tl.float32)
        # Rounded as it would be between two kernels.
        kind = x_rows.dtype.element_ty
        part = (part.to(tl.float32) * scale[:, None] * weight[None, :]).to(kind)
    return part.to(operand)


@triton.jit  # type: ignore[untyped-decorator]
def product(
    x_rows: tl.tensor,
    row_there: tl.tensor,
    norm: tl.tensor,
    scale: tl.tensor,
    weight_rows: tl.tensor,
    output_there: tl.tensor,
    width: tl.tensor,
    row_block: tl.constexpr,
    output_block: tl.constexpr,
    width_block: tl.constexpr,
    normed: tl.constexpr,
    operand: tl.constexpr,
    precision: tl.constexpr,
) -> tl.tensor:
    """(row_block, output_block) float32, of rows with some of the weight's outputs."""
    total = tl.zeros((row_block, output_block), tl.float32)
    for start in range(0, width, width_block):
        place = start + tl.arange(0, width_block)
        part = some_columns(x_rows, row_there, norm, scale, place, width, normed, operand)
        there = output_there[:, None] & (place < width)[None, :]
        weights = tl.load(weight_rows + place[None, :], mask=there, other=0.0)
        total = tl.dot(part, tl.trans(weights.to(operand)), total, input_precision=precision)
    return total


@triton.jit  # type: ignore[untyped-decorator]
def lowered(
    x_rows: tl.tensor,
    row_there: tl.tensor,
    norm: tl.tensor,
    scale: tl.tensor,
    down: tl.tensor,
    down_input: tl.tensor,
    rank: tl.tensor,
    width: tl.tensor,
    row_block: tl.constexpr,
    width_block: tl.constexpr,
    rank_block: tl.constexpr,
    normed: tl.constexpr,
    operand: tl.constexpr,
    precision: tl.constexpr,
) -> tl.tensor:
    """(row_block, rank_block) float32, of rows with an adapter's first matrix."""
    of_rank = tl.arange(0, rank_block)
    low = tl.zeros((row_block, rank_block), tl.float32)
    for start in range(0, width, width_block):
        place = start + tl.arange(0, width_block)
        part = some_columns(x_rows, row_there, norm, scale, place, width, normed, operand)
        downs = tl.load(
            down + place[:, None] * down_input + of_rank[None, :],
            mask=(place < width)[:, None] & (of_rank < rank)[None, :],
            other=0.0,
        )
        low = tl.dot(part, downs.to(operand), low, input_precision=precision)
    return low


@triton.jit  # type: ignore[untyped-decorator]
def raised(
    total: tl.tensor,
    low: tl.tensor,
    of_mask: tl.tensor,
    up: tl.tensor,
    up_rank: tl.tensor,
    rank: tl.tensor,
    output: tl.tensor,
    output_there: tl.tensor,
    rank_block: tl.constexpr,
    operand: tl.constexpr,
    precision: tl.constexpr,
) -> tl.tensor:
    """``total``, in mask rows with the adapter's second matrix times ``low`` added."""
    of_rank = tl.arange(0, rank_block)
    ups = tl.load(
        up + of_rank[:, None] * up_rank + output[None, :],
        mask=(of_rank < rank)[:, None] & output_there[None, :],
        other=0.0,
    )
    updated = tl.dot(low.to(operand), ups.to(operand), total, input_precision=precision)
    return tl.where(of_mask[:, None], updated, total)


def rows_together(matrix: Tensor) -> Tensor:
    """The matrix, copied if its rows do not lie in one piece each."""
    return matrix if matrix.stride(1) == 1 else matrix.contiguous()


def matrices(adapter: LowRank | None, known: int, x: Tensor) -> tuple[Tensor, Tensor, int]:
    """An adapter's matrices and rank; rank 0 where no row is to feel it.

    What is not there is not read, but has to be a pointer: then it is ``x``.
    """
    if adapter is None or known >= x.shape[0]:
        return x, x, 0
    return rows_together(adapter.a), rows_together(adapter.b), adapter.a.shape[1]
