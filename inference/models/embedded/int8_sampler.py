"""The sampler head in int8: two products a guess."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch.nn import functional as F

from midfill.inference.models.embedded.sampler_head import unit
from midfill.kernels.int8_linear import Int8Linear, int8_linear
from midfill.kernels.int8_matrix import Int8Matrix

if TYPE_CHECKING:
    from torch import Tensor

    from midfill.inference.models.embedded.sampler_head import SamplerHead
    from midfill.kernels.native.library import NativeLibrary


@dataclass(frozen=True, slots=True)
class Int8Sampler:
    """A `Sampler`.

    Attributes:
        inner: (hidden, 3 width), what a mask's state, the embedding of the token before it and the
            running state contribute, side by side.
        out: (width, hidden).
    """

    inner: Int8Linear
    out: Int8Linear
    native: NativeLibrary | None

    @classmethod
    def of(cls, head: SamplerHead, native: NativeLibrary | None) -> Int8Sampler:
        inner = torch.cat((head.mask, head.token, head.state)).T
        return cls(Int8Linear(Int8Matrix.of(inner)), Int8Linear(Int8Matrix.of(head.out.T)), native)

    def next_state(self, mask_state: Tensor, token_embedding: Tensor, state: Tensor) -> Tensor:
        inputs = unit(torch.stack((mask_state, token_embedding, state))).view(1, -1)
        hidden = F.silu(int8_linear(self.inner, inputs, 1, self.native))
        return mask_state + int8_linear(self.out, hidden, 1, self.native)[0]
