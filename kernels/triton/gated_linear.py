"""Norm, gate and up products, their adapter and SiLU in one launch.

A program computes some outputs of some rows, each with a row of the gate's matrix and one of the
other's, so neither product is ever stored.
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
def _gated(
    x: tl.tensor,
    norm: tl.tensor,
    weight: tl.tensor,
    down: tl.tensor,
    up: tl.tensor,
    y: tl.tensor,
    epsilon: tl.tensor,
    rows: tl.tensor,
    known: tl.tensor,
    width: tl.tensor,
    inner: tl.tensor,
    rank: tl.tensor,
    x_row: tl.tensor,
    weight_output: tl.tensor,
    down_input: tl.tensor,
    up_rank: tl.tensor,
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
    row_there, output_there = row < rows, output < inner
    x_rows = x + row[:, None].to(tl.int64) * x_row
    gate_rows = weight + output[:, None].to(tl.int64) * weight_output
    up_rows = gate_rows + inner.to(tl.int64) * weight_output
    scale = row_scales(x_rows, row_there, width, epsilon, row_block, width_block)
    gates = product(
        x_rows,
        row_there,
        norm,
        scale,
        gate_rows,
        output_there,
        width,
        row_block,
        output_block,
        width_block,
        True,
        operand,
        precision,
    )
    ups = product(
        x_rows,
        row_there,
        norm,
        scale,
        up_rows,
        output_there,
        width,
        row_block,
        output_block,
        width_block,
        True,
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
                True,
                operand,
                precision,
            )
            gates = raised(
                gates,
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
            ups = raised(
                ups,
                low,
                row >= known,
                up + inner,
                up_rank,
                rank,
                output,
                output_there,
                rank_block,
                operand,
                precision,
            )
    tl.store(
        y + row[:, None].to(tl.int64) * inner + output[None, :],
        (gates * tl.sigmoid(gates) * ups).to(y.dtype.element_ty),
        mask=row_there[:, None] & output_there[None, :],
    )


def gated_linear(
    x: Tensor,
    norm: Tensor,
    epsilon: float,
    gate_up: Tensor,
    adapter: LowRank | None,
    known: int,
) -> Tensor:
    """`midfill.kernels.gated_linear.gated_linear` of float32, float16 or bfloat16."""
    rows, width = x.shape
    inner = gate_up.shape[0] // 2
    y = x.new_empty(rows, inner)
    if y.numel() == 0:
        return y
    x, gate_up = rows_together(x), rows_together(gate_up)
    down, up, rank = matrices(adapter, known, x)
    row_block, output_block = block(rows, MOST_ROWS), block(inner, MOST_OUTPUTS)
    with on_device_of(x):
        _gated[(triton.cdiv(inner, output_block), triton.cdiv(rows, row_block))](
            x,
            norm.contiguous(),
            gate_up,
            down,
            up,
            y,
            epsilon,
            rows,
            known,
            width,
            inner,
            rank,
            x.stride(0),
            gate_up.stride(0),
            down.stride(0),
            up.stride(0),
            adapted=rank > 0,
            row_block=row_block,
            output_block=output_block,
            width_block=block(width, MOST_WIDTH_BYTES // x.element_size()),
            rank_block=block(rank, 512),
            operand=operand_type(x.dtype),
            precision=PRECISION,
        )
    return y
