"""The base model without its adapter, as a `DenoisingModel`: the end needs no mask slots."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from midfill.inference.models.dtypes import fastest_dtype
from midfill.inference.models.embedded.adapter import Adapter
from midfill.inference.models.embedded.architecture import Architecture
from midfill.inference.models.embedded.eager_network import EagerNetwork
from midfill.inference.models.embedded.embedding_rows import EmbeddingRows
from midfill.inference.models.embedded.model import EmbeddedModel
from midfill.inference.models.embedded.sampler_head import SamplerHead
from midfill.inference.models.embedded.weights import Weights, assemble_base, read_tensors

if TYPE_CHECKING:
    from pathlib import Path

    from midfill.inference.models.embedded.weights import Base


def load_base(weights: Path) -> Base:
    """Load the base from its safetensors file, onto the CPU."""
    place = torch.device("cpu")
    return assemble_base(
        read_tensors(weights),
        EmbeddingRows(weights),
        Architecture(),
        dtype=fastest_dtype(place),
        device=place,
    )


def bare_model(base: Base) -> EmbeddedModel:
    """The model of a base beside an adapter that no layer has anything of."""
    architecture = Architecture()
    nothing = torch.empty(0, architecture.width, dtype=base.dtype, device=base.device)
    adapter = Adapter(
        entry_layer=architecture.layers,
        layers=(),
        mask_embeddings=nothing,
        sampler=SamplerHead(nothing.T, nothing.T, nothing.T, nothing),
        guess_tokens=torch.empty(0, dtype=torch.long),
    )
    network = EagerNetwork(Weights(base, adapter, nothing), architecture)
    return EmbeddedModel(network, adapter, architecture)
