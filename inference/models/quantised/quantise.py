"""Holding a model's weights in 8 or 4 bits.

A quantised weight takes the place of the full one in the modules that have it, and is turned back
into the full one each time that a module uses it: one layer's at a time. So every model works
unchanged, and stacked experts are no different from linear layers. What modules compute with need
not be the type that weights were loaded in; converting them first would take memory for them all.

The loaders of ``transformers`` are not used for this, because they leave out weights that modules
share: of DiffusionGemma, whose encoder and decoder are one set of weights, nearly everything.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.nn.utils import parametrize

from midfill.inference.models.options import Weights
from midfill.inference.models.quantised.int8_rows import int8_rows
from midfill.inference.models.quantised.normal_float4 import normal_float4
from midfill.inference.models.quantised.which_weights import weights_to_quantise

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from midfill.inference.models.quantised.which_weights import Owner

    Quantiser = Callable[[Tensor, torch.device, torch.dtype], tuple[Tensor, nn.Module]]
    """Packs a weight on a device; the module turns it back, into a type to compute with."""

QUANTISERS: dict[Weights, Quantiser] = {Weights.INT8: int8_rows, Weights.INT4: normal_float4}


def is_quantised(weights: Weights) -> bool:
    """Whether weights of this kind are held in fewer bits than they are computed with."""
    return weights in QUANTISERS


@torch.no_grad()
def quantise(
    model: nn.Module, weights: Weights, device: torch.device, dtype: torch.dtype | None = None
) -> None:
    """Quantise a model in place; nothing happens unless ``weights`` are of such a kind.

    What is quantised ends up on the device, one weight after the other, so the full model need
    never be there. What is not stays where it is: move the model to the device afterwards.

    Args:
        model: with its weights; those in memory-mapped files cost no memory but the page cache.
        weights: what they are to be held as.
        device: where they are to be.
        dtype: that modules compute with; by default each weight's own.

    Raises:
        UsageError: the kind needs a library that is not here.
    """
    quantiser = QUANTISERS.get(weights)
    if quantiser is None:
        return
    for shared in weights_to_quantise(model):
        packed, unpack = quantiser(shared.tensor, device, dtype or shared.tensor.dtype)
        parameter = nn.Parameter(packed, requires_grad=False)
        for owner in shared.owners:
            _replace(owner, parameter, unpack)


@torch.no_grad()
def compute_in(model: nn.Module, dtype: torch.dtype) -> None:
    """Convert what is not quantised of a model that has been: its parameters and stored buffers."""
    for name, tensor in model.state_dict(keep_vars=True).items():
        if tensor.is_floating_point() and ".parametrizations." not in f".{name}":
            tensor.data = tensor.data.to(dtype)


def _replace(owner: Owner, packed: nn.Parameter, unpack: nn.Module) -> None:
    delattr(owner.module, owner.name)
    owner.module.register_parameter(owner.name, packed)
    # Unsafe, as it lets shape and type change, which is the point.
    parametrize.register_parametrization(owner.module, owner.name, unpack, unsafe=True)
