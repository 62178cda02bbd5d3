"""Holding a model's weights in 8 or 4 bits.

A quantised weight takes the place of the full one in the modules that have it, and is turned back
into the full one each time that a module uses it: one layer's at a time. So every model works
unchanged, with the operations of the type that it was loaded in, and stacked experts are no
different from linear layers.

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

    Quantiser = Callable[[Tensor, torch.device], tuple[Tensor, nn.Module]]
    """Packs a weight on a device; the module turns it back."""

QUANTISERS: dict[Weights, Quantiser] = {Weights.INT8: int8_rows, Weights.INT4: normal_float4}


def is_quantised(weights: Weights) -> bool:
    """Whether weights of this kind are held in fewer bits than they are computed with."""
    return weights in QUANTISERS


@torch.no_grad()
def quantise(model: nn.Module, weights: Weights, device: torch.device) -> None:
    """Quantise a model in place; nothing happens unless ``weights`` are of such a kind.

    What is quantised ends up on the device, one weight after the other, so the full model need
    never be there. What is not stays where it is: move the model to the device afterwards.

    Args:
        model: with its weights; those in memory-mapped files cost no memory but the page cache.
        weights: what they are to be held as.
        device: where they are to be.

    Raises:
        UsageError: the kind needs a library that is not here.
    """
    quantiser = QUANTISERS.get(weights)
    if quantiser is None:
        return
    for shared in weights_to_quantise(model):
        packed, unpack = quantiser(shared.tensor, device)
        parameter = nn.Parameter(packed, requires_grad=False)
        for owner in shared.owners:
            _replace(owner, parameter, unpack)


def _replace(owner: Owner, packed: nn.Parameter, unpack: nn.Module) -> None:
    delattr(owner.module, owner.name)
    owner.module.register_parameter(owner.name, packed)
    # Unsafe, as it lets shape and type change, which is the point.
    parametrize.register_parametrization(owner.module, owner.name, unpack, unsafe=True)
