"""A linear layer and its adapter in one launch.

A program computes some outputs of some rows with the base's weight. Where mask rows are among
them, it also sums up the low-rank product of those rows in registers and adds it; known rows
never take part in that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import triton
import triton.language as tl

from midfill.kernels.triton.launching import PRECISION, block, on_device_of, operand_type

if TYPE_CHECKING:
    from torch import Tensor

    from midfill.kernels.adapted_linear import LowRank

MOST_ROWS = 32
MOST_OUTPUTS = 32
MOST_WIDTH_BYTES = 128


@triton.jit(do_not_specialize=["rows", "known"])  # type: ignore[untyped-decorator]
def _product(
    x: tl.tensor,
    weight: tl.tensor,
    bias: tl.tensor,
    down: tl.tensor,
    up: tl.tensor,
    y: tl.tensor,
    rows: tl.tensor,
    known: tl.tensor,
    width: tl.tensor,
    outputs: tl.tensor,
    rank: tl.tensor,
    x_row: tl.tensor,
    weight_output: tl.tensor,
    down_input: tl.tensor,
    up_rank: tl.tensor,
    biased: tl.constexpr,
    adapted: tl.constexpr,
    row_block: tl.constexpr,
    output_block: tl.constexpr,
    width_block: tl.constexpr,
    rank_block: tl.constexpr,
    operand: tl.constexpr,
    precision: tl.constexpr,
) -> None:
    output = tl.program_id(0) * output_block + tl.arange(0, output_block)
    first_row = tl.program_id(1) * row_block
    row = first_row + tl.arange(0, row_block)
    row_there, output_there = row < rows, output < outputs
    x_rows = x + row[:, None].to(tl.int64) * x_row
    weight_rows = weight + output[:, None].to(tl.int64) * weight_output
    total = tl.zeros((row_block, output_block), tl.float32)
    for start in range(0, width, width_block):
        place = start + tl.arange(0, width_block)
        inside = (place < width)[None, :]
        part = tl.load(x_rows + place[None, :], mask=row_there[:, None] & inside, other=0.0)
        weights = tl.load(
            weight_rows + place[None, :], mask=output_there[:, None] & inside, other=0.0
        )
        total = tl.dot(
            part.to(operand), tl.trans(weights.to(operand)), total, input_precision=precision
        )
    if adapted:  # noqa: SIM102 (this is decided when it is compiled, the next when it runs)
        if first_row + row_block > known:
            of_rank = tl.arange(0, rank_block)
            rank_there = of_rank < rank
            low = tl.zeros((row_block, rank_block), tl.float32)
            for start in range(0, width, width_block):
                place = start + tl.arange(0, width_block)
                inside = place < width
                part = tl.load(
                    x_rows + place[None, :], mask=row_there[:, None] & inside[None, :], other=0.0
                )
                downs = tl.load(
                    down + place[:, None] * down_input + of_rank[None, :],
                    mask=inside[:, None] & rank_there[None, :],
                    other=0.0,
                )
                low = tl.dot(part.to(operand), downs.to(operand), low, input_precision=precision)
            ups = tl.load(
                up + of_rank[:, None] * up_rank + output[None, :],
                mask=rank_there[:, None] & output_there[None, :],
                other=0.0,
            )
            updated = tl.dot(low.to(operand), ups.to(operand), total, input_precision=precision)
            total = tl.where((row >= known)[:, None], updated, total)
    if biased:
        total += tl.load(bias + output, mask=output_there, other=0.0).to(tl.float32)[None, :]
    tl.store(
        y + row[:, None].to(tl.int64) * outputs + output[None, :],
        total.to(y.dtype.element_ty),
        mask=row_there[:, None] & output_there[None, :],
    )


def adapted_linear(
    x: Tensor, weight: Tensor, bias: Tensor | None, adapter: LowRank | None, known: int
) -> Tensor:
    """`midfill.kernels.adapted_linear.adapted_linear` of float32, float16 or bfloat16."""
    rows, width = x.shape
    outputs = weight.shape[0]
    y = x.new_empty(rows, outputs)
    if y.numel() == 0:
        return y
    x, weight = _rows_together(x), _rows_together(weight)
    adapted = adapter is not None and known < rows
    # What is not there is not read, but has to be a pointer.
    down = _rows_together(adapter.a) if adapter is not None and adapted else x
    up = _rows_together(adapter.b) if adapter is not None and adapted else x
    rank = down.shape[1] if adapted else 0
    row_block, output_block = block(rows, MOST_ROWS), block(outputs, MOST_OUTPUTS)
    with on_device_of(x):
        _product[(triton.cdiv(outputs, output_block), triton.cdiv(rows, row_block))](
            x,
            weight,
            x if bias is None else bias.contiguous(),
            down,
            up,
            y,
            rows,
            known,
            width,
            outputs,
            rank,
            x.stride(0),
            weight.stride(0),
            down.stride(0),
            up.stride(0),
            biased=bias is not None,
            adapted=adapted,
            row_block=row_block,
            output_block=output_block,
            width_block=block(width, MOST_WIDTH_BYTES // x.element_size()),
            rank_block=block(rank, 512),
            operand=operand_type(x.dtype),
            precision=PRECISION,
        )
    return y


def _rows_together(matrix: Tensor) -> Tensor:
    return matrix if matrix.stride(1) == 1 else matrix.contiguous()
