"""A linear layer in int8 whose low-rank adapter acts on mask rows only.

Weights are rounded output by output and inputs row by row, so that no row's outcome depends on any
other row: masks and wrong guesses never change what a known row computes.

Source: vector-wise quantisation, arXiv 2208.07339; adapters gated to masks, arXiv 2507.11851.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import torch
from torch.nn import functional as F

from midfill.kernels.int8_matrix import PANEL, Int8Matrix
from midfill.kernels.native.calls import Before, LinearCall
from midfill.kernels.rms_norm import rms_norm

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from midfill.kernels.adapted_linear import LowRank
    from midfill.kernels.native.library import NativeLibrary


@dataclass(frozen=True, slots=True)
class PackedLowRank:
    """``x ↦ (x A) B`` where outputs fall into groups, each with an A of its own.

    Attributes:
        down: bfloat16 (groups * rank / 16, width_in, 16), the groups' A side by side.
        up: bfloat16 (width_out / 16, rank, 16), the groups' B side by side.
        group_ends: (groups,) int32, the outputs up to which each group reaches.
    """

    down: Tensor
    up: Tensor
    group_ends: Tensor

    @property
    def rank(self) -> int:
        return self.up.shape[1]

    @classmethod
    def of(cls, adapter: LowRank, widths: Sequence[int]) -> PackedLowRank:
        """Lay an adapter out.

        Args:
            adapter: its A are the groups' side by side, its B block-diagonal.
            widths: outputs of each group, multiples of 16.
        """
        rank = adapter.a.shape[1] // len(widths)
        padding = -rank % PANEL
        downs, ups, start = [], [], 0
        for group, width in enumerate(widths):
            own = slice(group * rank, (group + 1) * rank)
            downs.append(F.pad(adapter.a[:, own], (0, padding)))
            ups.append(F.pad(adapter.b[own, start : start + width], (0, 0, 0, padding)))
            start += width
        down, up = torch.cat(downs, 1), torch.cat(ups, 1)
        return cls(
            _panels(down).to(torch.bfloat16),
            _panels(up).to(torch.bfloat16),
            torch.tensor(widths).cumsum(0).to(torch.int32),
        )

    def __call__(self, x: Tensor) -> Tensor:
        """The update of (rows, width_in) float32, in plain torch."""
        down = self.down.float().permute(1, 0, 2).reshape(self.down.shape[1], -1)
        up = self.up.float().permute(1, 0, 2).reshape(self.rank, -1)
        parts, start = [], 0
        for group, end in enumerate(self.group_ends.tolist()):
            low = x @ down[:, group * self.rank : (group + 1) * self.rank]
            parts.append(low @ up[:, start:end])
            start = end
        return torch.cat(parts, 1)


def _panels(matrix: Tensor) -> Tensor:
    """(width, 16 n) as (n, width, 16)."""
    return matrix.view(matrix.shape[0], -1, PANEL).permute(1, 0, 2).contiguous()


@dataclass(frozen=True, slots=True)
class Norm:
    """Root-mean-square normalisation before a product; ``weight`` is (width_in,) float32."""

    weight: Tensor
    epsilon: float


@dataclass(frozen=True)
class Int8Linear:
    """One layer.

    Attributes:
        matrix: the base's weight, (width_out, width_in).
        bias: (width_out,) float32 or none.
        adapter: the low-rank update for mask rows, if there is one.
        before: what the input goes through first: a normalisation, or the gate of a gated layer,
            which halves its width.
    """

    matrix: Int8Matrix
    bias: Tensor | None = None
    adapter: PackedLowRank | None = None
    before: Norm | Before = Before.NOTHING

    @cached_property
    def call(self) -> LinearCall:
        """What the native operation takes, as far as it is the same for every input."""
        matrix, adapter, call = self.matrix, self.adapter, LinearCall()
        call.weights = matrix.panels.data_ptr()
        call.weight_scales = matrix.scales.data_ptr()
        call.weight_sums = matrix.sums.data_ptr()
        call.width, call.x_stride, call.outputs = matrix.width, matrix.width, matrix.outputs
        if isinstance(self.before, Norm):
            call.before, call.norm = Before.NORM, self.before.weight.data_ptr()
            call.epsilon = self.before.epsilon
        elif self.before is Before.GATE:
            call.before, call.x_stride = Before.GATE, 2 * matrix.width
        if self.bias is not None:
            call.bias = self.bias.data_ptr()
        if adapter is not None:
            call.down, call.up = adapter.down.data_ptr(), adapter.up.data_ptr()
            call.group_ends = adapter.group_ends.data_ptr()
            call.rank, call.groups = adapter.rank, adapter.group_ends.shape[0]
        return call


def int8_linear(
    layer: Int8Linear,
    x: Tensor,
    known: int,
    native: NativeLibrary | None,
    add_to: Tensor | None = None,
) -> Tensor:
    """``before(x) Wᵀ + b``, and on the rows from ``known`` on also the adapter's update.

    Args:
        layer: the layer.
        x: (rows, width_in), or (rows, 2 width_in) for a gate; contiguous float32 on the CPU.
        known: how many rows compute exactly what the base computes.
        native: computes it, if there is such a library; else plain torch does.
        add_to: (rows, width_out) float32, added to in place and returned.

    Returns:
        (rows, width_out) float32.
    """
    if native is None:
        return _in_torch(layer, x, known, add_to)
    rows = x.shape[0]
    y = x.new_empty(rows, layer.matrix.outputs) if add_to is None else add_to
    call = LinearCall.from_buffer_copy(layer.call)
    call.x, call.y = x.data_ptr(), y.data_ptr()
    call.rows, call.known, call.add = rows, known, add_to is not None
    native.linear(call)
    return y


def _in_torch(layer: Int8Linear, x: Tensor, known: int, add_to: Tensor | None) -> Tensor:
    if isinstance(layer.before, Norm):
        x = rms_norm(x, layer.before.weight, layer.before.epsilon)
    elif layer.before is Before.GATE:
        gate, up = x.chunk(2, dim=-1)
        x = F.silu(gate) * up
    steps = x.abs().amax(1, keepdim=True) / 127
    rounded = (x / steps.clamp_min(torch.finfo(torch.float32).tiny)).round()
    # Sums of integers below 2^53: exact in float64, in whatever order.
    dots = (rounded.double() @ layer.matrix.rounded().double().T).float()
    y = dots * (steps * layer.matrix.scales)
    if layer.bias is not None:
        y += layer.bias
    if layer.adapter is not None and known < x.shape[0]:
        y[known:] += layer.adapter(x[known:])
    return y if add_to is None else add_to.add_(y)
