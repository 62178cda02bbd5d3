"""Which of a model's weights are quantised: all large matrices but the ends of the network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from torch import nn

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

EXPERTS = "experts"
"""What modules are called that hold the weights of all experts in stacks, one for each matrix."""

KEPT = ("lm_head", "router")
"""Modules that are left as they are: their errors decide between tokens, and between experts."""


@dataclass(frozen=True, slots=True)
class Owner:
    """A module that has a weight.

    Attributes:
        module: the module.
        name: the weight's in it.
    """

    module: nn.Module
    name: str


@dataclass(frozen=True, slots=True)
class SharedWeight:
    """A weight, which several modules may have in common.

    Attributes:
        tensor: (out, in), or (experts, out, in) where experts are stacked.
        owners: all modules that have it.
    """

    tensor: Tensor
    owners: tuple[Owner, ...]


def weights_to_quantise(model: nn.Module) -> Iterator[SharedWeight]:
    """The weights of linear layers and stacked experts, each once.

    Left as they are: embeddings, heads that share them or not, routers, and all that is no matrix.
    """
    in_embeddings = {
        id(module.weight) for module in model.modules() if isinstance(module, nn.Embedding)
    }
    tensors: dict[int, Tensor] = {}
    owners: dict[int, list[Owner]] = {}
    for path, module in model.named_modules():
        parts = path.split(".")
        if any(part in KEPT for part in parts):
            continue
        for name, tensor in module.named_parameters(recurse=False):
            if id(tensor) not in in_embeddings and _is_matrix(module, parts[-1], name, tensor):
                tensors[id(tensor)] = tensor
                owners.setdefault(id(tensor), []).append(Owner(module, name))
    for key in list(tensors):
        yield SharedWeight(tensors.pop(key), tuple(owners[key]))


def _is_matrix(module: nn.Module, module_name: str, name: str, tensor: Tensor) -> bool:
    if not tensor.is_floating_point():
        return False
    if isinstance(module, nn.Linear):
        return name == "weight"
    return module_name == EXPERTS and tensor.dim() == 3
