"""The base's tensors, as the forward pass wants them, and the adapter beside them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from safetensors import SafetensorError, safe_open

from midfill.inference.errors import WeightsCorrupt
from midfill.inference.models.embedded.adapter import Adapter, assemble_adapter

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from torch import Tensor

    from midfill.inference.models.embedded.adapter import AdapterFile
    from midfill.inference.models.embedded.architecture import Architecture

EmbeddingLookup = Callable[[Sequence[int]], "Tensor"]
"""Token ids to their rows, (tokens, width), any float dtype, on the CPU."""


@dataclass(frozen=True, slots=True)
class Layer:
    """One transformer block. Matrices are (width_out, width_in); norms are float32."""

    attention_norm: Tensor
    qkv: Tensor
    qkv_bias: Tensor
    o: Tensor
    mlp_norm: Tensor
    gate_up: Tensor
    down: Tensor


@dataclass(frozen=True, slots=True)
class Base:
    """The base model.

    Attributes:
        embedding: the rows of some tokens, on the CPU: few of them are in use at any time.
        head: (vocabulary, width), separate from the embedding.
    """

    embedding: EmbeddingLookup
    head: Tensor
    final_norm: Tensor
    layers: tuple[Layer, ...]

    @property
    def device(self) -> torch.device:
        return self.head.device

    @property
    def dtype(self) -> torch.dtype:
        return self.head.dtype


@dataclass(frozen=True, slots=True)
class Weights:
    """The base and what makes it fill mask slots.

    Attributes:
        guess_head: (guessable, width), the rows of the head that guesses are made with.
    """

    base: Base
    adapter: Adapter
    guess_head: Tensor

    @classmethod
    def assemble(cls, base: Base, file: AdapterFile, architecture: Architecture) -> Weights:
        """Put an adapter beside its base.

        Raises:
            WeightsCorrupt: it lacks a tensor, or one has another shape.
        """
        adapter = assemble_adapter(file, architecture, dtype=base.dtype, device=base.device)
        return cls(base, adapter, base.head[adapter.guess_tokens])


def read_tensors(path: Path) -> dict[str, Tensor]:
    """All tensors of a safetensors file, mapped rather than read.

    Raises:
        WeightsCorrupt: the file is truncated or no safetensors file.
    """
    try:
        with safe_open(path, framework="pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise WeightsCorrupt(
            f"{path} is damaged ({error}); run `midfill model pull embedded`"
        ) from None


def assemble_base(
    tensors: Mapping[str, Tensor],
    embedding: EmbeddingLookup,
    architecture: Architecture,
    *,
    dtype: torch.dtype,
    device: torch.device,
) -> Base:
    """Put the base onto a device.

    Args:
        tensors: named as `gguf_layout` names them.
        embedding: looks rows of the embedding up.
        architecture: the shapes that the tensors must have.
        dtype: of matrices and biases; norms stay float32.
        device: where all tensors go.

    Raises:
        WeightsCorrupt: a tensor is missing or has another shape.
    """
    shape = architecture

    def take(name: str, *expected: int) -> Tensor:
        tensor = tensors.get(name)
        if tensor is None:
            raise WeightsCorrupt(f"the weights lack {name}; run `midfill model pull embedded`")
        if tuple(tensor.shape) != expected:
            raise WeightsCorrupt(
                f"{name} has shape {tuple(tensor.shape)}, not {expected}; "
                "run `midfill model pull embedded`"
            )
        return tensor

    def matrix(name: str, *expected: int) -> Tensor:
        return take(name, *expected).to(device, dtype)

    def norm(name: str) -> Tensor:
        return take(name, shape.width).to(device, torch.float32)

    def layer(i: int) -> Layer:
        stem = f"layers.{i}"
        qkv_width = shape.query_width + 2 * shape.key_width
        return Layer(
            attention_norm=norm(f"{stem}.attention_norm"),
            qkv=matrix(f"{stem}.qkv.weight", qkv_width, shape.width),
            qkv_bias=matrix(f"{stem}.qkv.bias", qkv_width),
            o=matrix(f"{stem}.o.weight", shape.width, shape.query_width),
            mlp_norm=norm(f"{stem}.mlp_norm"),
            gate_up=matrix(f"{stem}.gate_up.weight", 2 * shape.feed_forward, shape.width),
            down=matrix(f"{stem}.down.weight", shape.width, shape.feed_forward),
        )

    return Base(
        embedding=embedding,
        head=matrix("head", shape.vocabulary, shape.width),
        final_norm=norm("final_norm"),
        layers=tuple(layer(i) for i in range(shape.layers)),
    )
