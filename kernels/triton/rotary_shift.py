"""Turning cached keys by the angles of a move, both halves of a head at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import triton
import triton.language as tl

from midfill.kernels.triton.launching import block, on_device_of

if TYPE_CHECKING:
    from torch import Tensor

    from midfill.kernels.rotary import RotaryTable

TOKENS = 32


@triton.jit(do_not_specialize=["tokens"])  # type: ignore[untyped-decorator]
def _turn(
    keys: tl.tensor,
    into: tl.tensor,
    cosines: tl.tensor,
    sines: tl.tensor,
    tokens: tl.tensor,
    head_stride: tl.tensor,
    token_stride: tl.tensor,
    into_head_stride: tl.tensor,
    into_token_stride: tl.tensor,
    half: tl.constexpr,
    half_block: tl.constexpr,
    token_block: tl.constexpr,
) -> None:
    token = tl.program_id(0) * token_block + tl.arange(0, token_block)
    head = tl.program_id(1)
    dimension = tl.arange(0, half_block)
    of_head = dimension < half
    there = (token < tokens)[:, None] & of_head[None, :]
    source = keys + head * head_stride + token[:, None] * token_stride + dimension[None, :]
    first = tl.load(source, mask=there, other=0.0).to(tl.float32)
    second = tl.load(source + half, mask=there, other=0.0).to(tl.float32)
    cosine = tl.load(cosines + dimension, mask=of_head, other=1.0)[None, :]
    sine = tl.load(sines + dimension, mask=of_head, other=0.0)[None, :]
    goal = into + head * into_head_stride + token[:, None] * into_token_stride + dimension[None, :]
    kind = into.dtype.element_ty
    tl.store(goal, (first * cosine - second * sine).to(kind), mask=there)
    tl.store(goal + half, (second * cosine + first * sine).to(kind), mask=there)


def rotary_shift(keys: Tensor, angles: RotaryTable, into: Tensor) -> Tensor:
    """`midfill.kernels.rotary_shift.rotary_shift` of float32, float16 or bfloat16 keys."""
    heads, tokens, size = keys.shape
    if keys.numel() == 0:
        return into
    if into.stride(2) != 1:
        return into.copy_(rotary_shift(keys, angles, torch.empty_like(keys.contiguous())))
    keys = keys if keys.stride(2) == 1 else keys.contiguous()
    token_block = block(tokens, TOKENS, 1)
    with on_device_of(keys):
        _turn[(triton.cdiv(tokens, token_block), heads)](
            keys,
            into,
            angles.cos.contiguous(),
            angles.sin.contiguous(),
            tokens,
            keys.stride(0),
            keys.stride(1),
            into.stride(0),
            into.stride(1),
            half=size // 2,
            half_block=triton.next_power_of_2(size // 2),
            token_block=token_block,
        )
    return into
