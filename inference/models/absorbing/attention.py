"""The attention of bidirectional backbones, as `transformers` lets one be registered.

A pass over some positions has keys of all positions in a buffer, and every position sees every
other one: that is `in_place_attention`, for each hole of the pass apart. Passes over all positions
are `transformers`' own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from midfill.kernels.canvas_attention import in_place_attention

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor, nn

NAME = "midfill_in_place"
"""What a configuration says to have it, once `register` has been called."""


def register() -> None:
    """Make `NAME` known to `transformers`.

    There is no function that makes masks for it, so that where none is given none is made.
    """
    from transformers import AttentionInterface

    AttentionInterface.register(NAME, attend)


def attend(
    module: nn.Module,
    query: Tensor,
    key: Tensor | Sequence[Tensor],
    value: Tensor | Sequence[Tensor],
    attention_mask: Tensor | None,
    used_keys: Tensor | None = None,
    **others: Any,  # noqa: ANN401
) -> tuple[Tensor, None]:
    """Attention of one layer, in the form that `transformers` calls it.

    Args:
        module: the layer's attention.
        query: (batch, query heads, rows, head size).
        key, value: (batch, key heads, keys, head size); without a mask it may be a list of as many.
        attention_mask: (batch, 1, rows, keys) bool; without one every row sees every key.
        used_keys: (batch,) long, how many of the keys there are; all of them if not given.
        others: for `transformers`' own attention.

    Returns:
        (batch, rows, query heads, head size), and no weights.
    """
    if attention_mask is not None:
        from transformers.integrations.sdpa_attention import sdpa_attention_forward

        assert isinstance(key, torch.Tensor)
        assert isinstance(value, torch.Tensor)
        attended, _ = sdpa_attention_forward(module, query, key, value, attention_mask, **others)
        return attended, None
    found = []
    for number, one in enumerate(query):
        rows = one.transpose(0, 1)  # (rows, query heads, head size)
        used = None if used_keys is None else used_keys[number : number + 1]
        attended = in_place_attention(rows, key[number], value[number], used=used)
        found.append(attended.view(1, *rows.shape))
    return torch.cat(found) if len(found) > 1 else found[0], None
