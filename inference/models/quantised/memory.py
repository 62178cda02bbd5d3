"""How many bytes a model's weights take."""

from __future__ import annotations

from itertools import chain
from math import prod
from typing import TYPE_CHECKING

from midfill.inference.models.quantised.which_weights import weights_to_quantise

if TYPE_CHECKING:
    import torch
    from torch import nn


def weight_bytes(model: nn.Module) -> int:
    """Of all parameters and buffers, each tensor once; also of a model on the meta device."""
    tensors = {
        id(tensor): tensor.numel() * tensor.element_size()
        for tensor in chain(model.parameters(), model.buffers())
    }
    return sum(tensors.values())


def unpacking_bytes(model: nn.Module, dtype: torch.dtype) -> int:
    """What the largest layer's full weights take while a quantised model computes with them.

    A module of stacked experts has all of its stacks in full at once; of linear layers one is.

    Args:
        model: not quantised.
        dtype: that it computes in.
    """
    sizes: dict[int, int] = {}
    for shared in weights_to_quantise(model):
        module = shared.owners[0].module
        sizes[id(module)] = sizes.get(id(module), 0) + prod(shared.tensor.shape)
    return max(sizes.values(), default=0) * dtype.itemsize
