"""Argmax, its probability and the entropy of each slot, in one pass over the vocabulary.

The vocabulary is split over programs. Each keeps, over the blocks that it reads, the highest
logit m, s = Σ e^(z−m) and w = Σ (z−m) e^(z−m), from which p = 1/s and H = ln s − w/s. A second
kernel brings the parts of a slot together.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import triton
import triton.language as tl

from midfill.kernels.triton.launching import block, on_device_of, parts
from midfill.kernels.unmask import NO_TOKEN, Unmasked

if TYPE_CHECKING:
    from torch import Tensor

BLOCK = 4096
SHORTEST_PART = 8192


@triton.jit(do_not_specialize=["part_count"])  # type: ignore[untyped-decorator]
def _scan(
    logits: tl.tensor,
    best: tl.tensor,
    tokens: tl.tensor,
    sums: tl.tensor,
    weighted: tl.tensor,
    row_stride: tl.tensor,
    vocabulary: tl.tensor,
    part_size: tl.tensor,
    inverse_temperature: tl.tensor,
    part_count: tl.tensor,
    block_size: tl.constexpr,
) -> None:
    slot = tl.program_id(0)
    part = tl.program_id(1)
    row = logits + slot.to(tl.int64) * row_stride
    end = tl.minimum((part + 1) * part_size, vocabulary)
    m = tl.full((), float("-inf"), tl.float32)
    token = tl.full((), -1, tl.int32)
    s = tl.full((), 0, tl.float32)
    w = tl.full((), 0, tl.float32)
    for start in range(part * part_size, end, block_size):
        place = start + tl.arange(0, block_size)
        z = tl.load(row + place, mask=place < end, other=float("-inf")).to(tl.float32)
        # Maxima pass over NaN on some devices and not on others; sums never do.
        numbers = tl.where(z == z, z, float("-inf"))
        highest, where = tl.max(numbers, 0, return_indices=True, return_indices_tie_break_left=True)
        token = tl.where(highest > m, start + where, token)
        new = tl.maximum(m, highest)
        origin = tl.where(new == float("-inf"), 0.0, new)
        move = (m - origin) * inverse_temperature
        keep = tl.exp(move)
        distance = (z - origin) * inverse_temperature
        e = tl.exp(distance)
        w = tl.where(keep == 0, 0.0, (w + move * s) * keep)
        w += tl.sum(tl.where(e == 0, 0.0, distance * e), 0)
        s = s * keep + tl.sum(e, 0)
        m = new
    place = slot * part_count + part
    tl.store(best + place, m)
    tl.store(tokens + place, token)
    tl.store(sums + place, s)
    tl.store(weighted + place, w)


@triton.jit(do_not_specialize=["part_count"])  # type: ignore[untyped-decorator]
def _gather(
    best: tl.tensor,
    part_tokens: tl.tensor,
    sums: tl.tensor,
    weighted: tl.tensor,
    tokens: tl.tensor,
    probabilities: tl.tensor,
    entropies: tl.tensor,
    inverse_temperature: tl.tensor,
    part_count: tl.tensor,
    block_size: tl.constexpr,
) -> None:
    slot = tl.program_id(0)
    part = tl.arange(0, block_size)
    there = part < part_count
    place = slot * part_count + part
    m = tl.load(best + place, mask=there, other=float("-inf"))
    token = tl.load(part_tokens + place, mask=there, other=-1)
    s = tl.load(sums + place, mask=there, other=0.0)
    w = tl.load(weighted + place, mask=there, other=0.0)
    highest = tl.max(m, 0)
    # The first part that has the highest logit has it at the lowest token.
    first = tl.min(tl.where(m == highest, token, 2147483647), 0)
    origin = tl.where(highest == float("-inf"), 0.0, highest)
    move = (m - origin) * inverse_temperature
    keep = tl.exp(move)
    w = tl.sum(tl.where(keep == 0, 0.0, (w + move * s) * keep), 0)
    s = tl.sum(s * keep, 0)
    found = s > 0  # false of NaN too
    s = tl.where(found, s, float("nan"))
    entropy = tl.log(s) - w / s
    tl.store(tokens + slot, tl.where(found, first, -1).to(tl.int64))
    tl.store(probabilities + slot, 1.0 / s)
    tl.store(entropies + slot, tl.where(entropy < 0, 0.0, entropy))


def unmask(
    logits: Tensor, temperature: float, split: int | None = None, block_size: int = BLOCK
) -> Unmasked:
    """`midfill.kernels.unmask.unmask` of float32, float16 or bfloat16 logits.

    Args:
        logits: (slots, vocabulary).
        temperature: positive.
        split: over how many programs each row is spread; as many as the device needs if not given.
        block_size: logits that a program holds at once, a power of two.
    """
    slots, vocabulary = logits.shape
    logits = logits if logits.stride(1) == 1 else logits.contiguous()
    device = logits.device
    found = Unmasked(
        torch.full((slots,), NO_TOKEN, dtype=torch.long, device=device),
        torch.empty(slots, device=device),
        torch.empty(slots, device=device),
    )
    if slots == 0:
        return found
    block_size = block(vocabulary, block_size)
    count = split or parts(slots, vocabulary, SHORTEST_PART, device)
    part_size = triton.cdiv(triton.cdiv(vocabulary, count), block_size) * block_size
    count = triton.cdiv(vocabulary, part_size)
    best, sums, weighted = torch.empty(3, slots, count, device=device).unbind(0)
    tokens = torch.empty(slots, count, dtype=torch.int32, device=device)
    with on_device_of(logits):
        _scan[(slots, count)](
            logits,
            best,
            tokens,
            sums,
            weighted,
            logits.stride(0),
            vocabulary,
            part_size,
            1 / temperature,
            count,
            block_size=block_size,
        )
        _gather[(slots,)](
            best,
            tokens,
            sums,
            weighted,
            found.tokens,
            found.probabilities,
            found.entropies,
            1 / temperature,
            count,
            block_size=block(count, 1024, 2),
        )
    return found
