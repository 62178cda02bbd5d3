"""An output head in int8 and `unmask` as one: what sampling needs, without any logits in memory.

Logits of 151,936 tokens are 600 kB a slot, written and read several times to find one token. Here
each part of the vocabulary leaves a few numbers behind.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from midfill.kernels.int8_linear import Int8Linear, int8_linear
from midfill.kernels.native.calls import UnmaskCall
from midfill.kernels.permitted import permitted_tokens, restricted
from midfill.kernels.unmask import NO_TOKEN, Unmasked, unmask_in_torch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from midfill.kernels.int8_matrix import Int8Matrix
    from midfill.kernels.native.library import NativeLibrary


def int8_unmask(
    head: Int8Matrix,
    states: Tensor,
    native: NativeLibrary | None,
    permitted: Sequence[Tensor] = (),
) -> Unmasked:
    """`unmask` of the logits ``states headᵀ``, at temperature 1.

    The tokens are those of `int8_linear` and an argmax, to the bit; of equal ones the lowest. A
    slot without a distribution has `NO_TOKEN` and NaN, as in `unmask`.

    Args:
        head: (vocabulary, width).
        states: (slots, width) contiguous float32 on the CPU.
        native: computes it, if there is such a library; else plain torch does.
        permitted: of the first so many slots the tokens that they may take; see `restricted`.

    Source: online softmax, arXiv 1805.02867.
    """
    slots = states.shape[0]
    if native is None:
        return unmask_in_torch(restricted(_logits(head, states, None), permitted), 1.0)
    found = Unmasked(
        torch.empty(slots, dtype=torch.long), states.new_empty(slots), states.new_empty(slots)
    )
    call = _call(head, states, found.tokens)
    call.probabilities = found.probabilities.data_ptr()
    call.entropies = found.entropies.data_ptr()
    allowed = permitted_tokens(permitted, head.outputs)
    call.restricted, call.permitted = len(permitted), allowed.data_ptr()
    native.unmask(call)
    return found


def int8_best(head: Int8Matrix, states: Tensor, native: NativeLibrary | None) -> Tensor:
    """The tokens of `int8_unmask` alone, (slots,) long."""
    if native is None:
        best, tokens = _logits(head, states, None).max(-1)
        return tokens.masked_fill(~best.isfinite(), NO_TOKEN)
    tokens = torch.empty(states.shape[0], dtype=torch.long)
    native.unmask(_call(head, states, tokens))
    return tokens


def _call(head: Int8Matrix, states: Tensor, tokens: Tensor) -> UnmaskCall:
    call = UnmaskCall()
    call.x, call.tokens = states.data_ptr(), tokens.data_ptr()
    call.weights = head.panels.data_ptr()
    call.weight_scales = head.scales.data_ptr()
    call.weight_sums = head.sums.data_ptr()
    call.rows, call.width, call.outputs = states.shape[0], head.width, head.outputs
    return call


def _logits(head: Int8Matrix, states: Tensor, native: NativeLibrary | None) -> Tensor:
    return int8_linear(Int8Linear(head), states, states.shape[0], native)
