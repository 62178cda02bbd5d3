"""A linear layer, its adapter and the norm before it in one launch.

A program computes some outputs of some rows with the base's weight. Where mask rows are among
them, it also sums up the low-rank product of those rows in registers and adds it; known rows
never take part in that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import triton
import triton.language as tl

from midfill.kernels.triton.launching import PRECISION, block, on_device_of, operand_type
from midfill.kernels.triton.products import (
    MOST_OUTPUTS,
    MOST_ROWS,
    MOST_WIDTH_BYTES,
    lowered,
    matrices,
    product,
    raised,
    row_scales,
    rows_together,
)

if TYPE_CHECKING:
    from torch import Tensor

    from midfill.kernels.adapted_linear import LowRank


@triton.jit(do_not_specialize=["rows", "known"])  # type: ignore[untyped-decorator]
def _product(
    x: tl.tensor,
    norm: tl.tensor,
    weight: tl.tensor,
    bias: tl.tensor,
    down: tl.tensor,
    up: tl.tensor,
    y: tl.tensor,
    epsilon: tl.tensor,
    rows: tl.tensor,
    known: tl.tensor,
    width: tl.tensor,
    outputs: tl.tensor,
    rank: tl.tensor,
    x_row: tl.tensor,
    weight_output: tl.tensor,
    down_input: tl.tensor,
    up_rank: tl.tensor,
    normed: tl.constexpr,
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
    scale = tl.full((row_block,), 1, tl.float32)
    if normed:
        scale = row_scales(x_rows, row_there, width, epsilon, row_block, width_block)
    total = product(
        x_rows,
        row_there,
        norm,
        scale,
        weight_rows,
        output_there,
        width,
        row_block,
        output_block,
        width_block,
        normed,
        operand,
        precision,
    )
    if adapted:  # noqa: SIM102 (this is decided when it is compiled, the next when it runs)
        if first_row + row_block > known:
            low = lowered(
                x_rows,
                row_there,
                norm,
                scale,
                down,
                down_input,
                rank,
                width,
                row_block,
                width_block,
                rank_block,
                normed,
                operand,
                precision,
            )
            total = raised(
                total,
                low,
                row >= known,
                up,
                up_rank,
                rank,
                output,
                output_there,
                rank_block,
                operand,
                precision,
            )
    if biased:
        total += tl.load(bias + output, mask=output_there, other=0.0).to(tl.float32)[None, :]
    tl.store(
        y + row[:, None].to(tl.int64) * outputs + output[None, :],
        total.to(y.dtype.element_ty),
        mask=row_there[:, None] & output_there[None, :],
    )


def norm_linear(
    x: Tensor,
    norm: Tensor | None,
    epsilon: float,
    weight: Tensor,
    bias: Tensor | None,
    adapter: LowRank | None,
    known: int,
) -> Tensor:
    """`midfill.kernels.norm_linear.norm_linear` of float32, float16 or bfloat16.

    Without a norm the rows are taken as they are.
    """
    rows, width = x.shape
    outputs = weight.shape[0]
    y = x.new_empty(rows, outputs)
    if y.numel() == 0:
        return y
    x, weight = rows_together(x), rows_together(weight)
    down, up, rank = matrices(adapter, known, x)
    row_block, output_block = block(rows, MOST_ROWS), block(outputs, MOST_OUTPUTS)
    with on_device_of(x):
        _product[(triton.cdiv(outputs, output_block), triton.cdiv(rows, row_block))](
            x,
            x if norm is None else norm.contiguous(),
            weight,
            x if bias is None else bias.contiguous(),
            down,
            up,
            y,
            epsilon,
            rows,
            known,
            width,
            outputs,
            rank,
            x.stride(0),
            weight.stride(0),
            down.stride(0),
            up.stride(0),
            normed=norm is not None,
            biased=bias is not None,
            adapted=rank > 0,
            row_block=row_block,
            output_block=output_block,
            width_block=block(width, MOST_WIDTH_BYTES // x.element_size()),
            rank_block=block(rank, 512),
            operand=operand_type(x.dtype),
            precision=PRECISION,
        )
    return y
