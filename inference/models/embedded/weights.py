"""The embedded model's tensors, as its forward pass wants them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from safetensors import SafetensorError, safe_open

from midfill.inference.errors import WeightsCorrupt
from midfill.kernels.adapted_linear import LowRank

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from torch import Tensor

    from midfill.inference.models.embedded.architecture import Architecture

UNSTATED_MASKS = 4

EmbeddingLookup = Callable[[Sequence[int]], "Tensor"]
"""Token ids to their rows, (tokens, width), any float dtype, on the CPU."""


@dataclass(frozen=True, slots=True)
class Layer:
    """One transformer block. Matrices are (width_out, width_in); norms are float32."""

    attention_norm: Tensor
    qkv: Tensor
    qkv_bias: Tensor
    qkv_adapter: LowRank
    o: Tensor
    o_adapter: LowRank
    mlp_norm: Tensor
    gate_up: Tensor
    gate_up_adapter: LowRank
    down: Tensor
    down_adapter: LowRank


@dataclass(frozen=True, slots=True)
class Weights:
    """The base's tensors and the adapter's.

    Attributes:
        embedding: the rows of some tokens, on the CPU: few of them are in use at any time.
        head: (vocabulary, width), separate from the embedding.
        mask_embeddings: (8, width); row ``j`` for the ``j``-th mask of a group.
        masks_trained: how many masks of a group the adapter was taught to fill.
    """

    embedding: EmbeddingLookup
    head: Tensor
    final_norm: Tensor
    layers: tuple[Layer, ...]
    mask_embeddings: Tensor
    masks_trained: int

    @property
    def device(self) -> torch.device:
        return self.head.device

    @property
    def dtype(self) -> torch.dtype:
        return self.head.dtype


@dataclass(frozen=True, slots=True)
class Adapter:
    """The file that ships with the package."""

    tensors: Mapping[str, Tensor]
    masks_trained: int


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


def read_adapter(path: Path) -> Adapter:
    """The adapter's tensors, and what its metadata says of them."""
    tensors = read_tensors(path)
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata() or {}
    return Adapter(tensors, int(metadata.get("masks_trained", UNSTATED_MASKS)))


def assemble(
    base: Mapping[str, Tensor],
    embedding: EmbeddingLookup,
    adapter: Adapter,
    architecture: Architecture,
    *,
    dtype: torch.dtype,
    device: torch.device,
) -> Weights:
    """Put base and adapter together on a device.

    Args:
        base: tensors named as `gguf_layout` names them.
        embedding: looks rows of the embedding up.
        adapter: ``layers.{i}.{q,k,v,o,gate,up,down}.lora_{A,B}`` and ``mask_embeddings``.
        architecture: the shapes that the tensors must have.
        dtype: of matrices, biases and the adapter; norms stay float32.
        device: where all tensors go.

    Raises:
        WeightsCorrupt: a tensor is missing or has another shape.
    """
    shape = architecture

    def take(tensors: Mapping[str, Tensor], name: str, expected: tuple[int, ...]) -> Tensor:
        tensor = tensors.get(name)
        if tensor is None:
            raise WeightsCorrupt(f"the weights lack {name}; run `midfill model pull embedded`")
        if tuple(tensor.shape) != expected:
            raise WeightsCorrupt(
                f"{name} has shape {tuple(tensor.shape)}, not {expected}; "
                "run `midfill model pull embedded`"
            )
        return tensor

    def base_matrix(name: str, *expected: int) -> Tensor:
        return take(base, name, expected).to(device, dtype)

    def norm(name: str) -> Tensor:
        return take(base, name, (shape.width,)).to(device, torch.float32)

    def low_rank(layer: int, inner: int, **outer: int) -> LowRank:
        """Adapters of projections that share an input, side by side as one."""
        parts = []
        for name, width in outer.items():
            stem = f"layers.{layer}.{name}"
            a = adapter.tensors.get(f"{stem}.lora_A")
            rank = a.shape[1] if a is not None and a.ndim == 2 else 0
            parts.append(
                (
                    take(adapter.tensors, f"{stem}.lora_A", (inner, rank)),
                    take(adapter.tensors, f"{stem}.lora_B", (rank, width)),
                )
            )
        return LowRank(
            torch.cat([a for a, _ in parts], dim=1).to(device, dtype),
            torch.block_diag(*(b for _, b in parts)).to(device, dtype),  # type: ignore[no-untyped-call]
        )

    def layer(i: int) -> Layer:
        stem = f"layers.{i}"
        qkv_width = shape.query_width + 2 * shape.key_width
        return Layer(
            attention_norm=norm(f"{stem}.attention_norm"),
            qkv=base_matrix(f"{stem}.qkv.weight", qkv_width, shape.width),
            qkv_bias=base_matrix(f"{stem}.qkv.bias", qkv_width),
            qkv_adapter=low_rank(
                i, shape.width, q=shape.query_width, k=shape.key_width, v=shape.key_width
            ),
            o=base_matrix(f"{stem}.o.weight", shape.width, shape.query_width),
            o_adapter=low_rank(i, shape.query_width, o=shape.width),
            mlp_norm=norm(f"{stem}.mlp_norm"),
            gate_up=base_matrix(f"{stem}.gate_up.weight", 2 * shape.feed_forward, shape.width),
            gate_up_adapter=low_rank(
                i, shape.width, gate=shape.feed_forward, up=shape.feed_forward
            ),
            down=base_matrix(f"{stem}.down.weight", shape.width, shape.feed_forward),
            down_adapter=low_rank(i, shape.feed_forward, down=shape.width),
        )

    return Weights(
        embedding=embedding,
        head=base_matrix("head", shape.vocabulary, shape.width),
        final_norm=norm("final_norm"),
        layers=tuple(layer(i) for i in range(shape.layers)),
        # A copy, so that nothing keeps the adapter's file mapped.
        mask_embeddings=take(
            adapter.tensors, "mask_embeddings", (shape.mask_embeddings, shape.width)
        ).to(device, dtype, copy=True),
        masks_trained=adapter.masks_trained,
    )
