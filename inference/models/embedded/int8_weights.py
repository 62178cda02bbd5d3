"""The base rounded to int8: how it is stored, and how it comes into memory beside its adapter.

The file has the names of `gguf_layout`; each matrix but the embedding is three tensors,
``{name}.panels``, ``{name}.scales`` and ``{name}.sums``, exactly as `Int8Matrix` holds them. So
they are mapped rather than read, and all processes of a machine share them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from midfill.inference.errors import WeightsCorrupt
from midfill.inference.models.embedded.adapter import UNADAPTED, assemble_adapter
from midfill.inference.models.embedded.int8_network import Int8Layer, Int8Weights
from midfill.inference.models.embedded.int8_sampler import Int8Sampler
from midfill.kernels.int8_linear import Int8Linear, Norm, PackedLowRank
from midfill.kernels.int8_matrix import NEIGHBOURS, PANEL, Int8Matrix
from midfill.kernels.native.calls import Before

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from torch import Tensor

    from midfill.inference.models.embedded.adapter import Adapter, AdapterFile
    from midfill.inference.models.embedded.architecture import Architecture
    from midfill.inference.models.embedded.gguf_layout import FusedTensor
    from midfill.inference.models.embedded.weights import EmbeddingLookup
    from midfill.kernels.adapted_linear import LowRank
    from midfill.kernels.native.library import NativeLibrary

EMBEDDING = "embedding"
"""Stays in bfloat16: single rows of it are read."""


def stored_tensors(
    layout: Sequence[FusedTensor],
) -> Iterator[tuple[str, torch.dtype, tuple[int, ...]]]:
    """Names, dtypes and shapes of the file's tensors, in their order."""
    for fused in layout:
        if fused.name == EMBEDDING:
            yield fused.name, torch.bfloat16, fused.shape
        elif fused.is_matrix:
            outputs, width = fused.shape
            panels = (outputs // PANEL, width // NEIGHBOURS, PANEL, NEIGHBOURS)
            yield f"{fused.name}.panels", torch.int8, panels
            yield f"{fused.name}.scales", torch.float32, (outputs,)
            yield f"{fused.name}.sums", torch.int32, (outputs,)
        else:
            yield fused.name, torch.float32, fused.shape


def rounded(name: str, tensor: Tensor) -> Iterator[tuple[str, Tensor]]:
    """What is stored of one tensor of the layout, float32."""
    if name == EMBEDDING:
        yield name, tensor.to(torch.bfloat16)
    elif tensor.dim() == 2:
        matrix = Int8Matrix.of(tensor)
        yield f"{name}.panels", matrix.panels
        yield f"{name}.scales", matrix.scales
        yield f"{name}.sums", matrix.sums
    else:
        yield name, tensor


def assemble_int8(
    tensors: Mapping[str, Tensor],
    embedding: EmbeddingLookup,
    file: AdapterFile,
    shape: Architecture,
    native: NativeLibrary | None,
) -> tuple[Int8Weights, Adapter]:
    """Put base and adapter together.

    Args:
        tensors: of the file.
        embedding: looks rows of the embedding up.
        file: the adapter's.
        shape: the shapes that the tensors must have.
        native: what will compute with them.

    Raises:
        WeightsCorrupt: a tensor is missing or has another shape.
    """
    # As it is stored: what is made of it is bfloat16 as well, or rounded further.
    adapter = assemble_adapter(file, shape, dtype=torch.bfloat16, device=torch.device("cpu"))
    qkv_widths = (shape.query_width, shape.key_width, shape.key_width)

    def take(name: str, dtype: torch.dtype, *expected: int) -> Tensor:
        tensor = tensors.get(name)
        if tensor is None or tensor.dtype != dtype or tuple(tensor.shape) != expected:
            found = "missing" if tensor is None else f"{tensor.dtype} {tuple(tensor.shape)}"
            raise WeightsCorrupt(
                f"the weights' {name} is {found}; run `midfill model pull embedded`"
            )
        return tensor

    def matrix(name: str, outputs: int, width: int) -> Int8Matrix:
        panels = (outputs // PANEL, width // NEIGHBOURS, PANEL, NEIGHBOURS)
        return Int8Matrix(
            take(f"{name}.panels", torch.int8, *panels),
            take(f"{name}.scales", torch.float32, outputs),
            take(f"{name}.sums", torch.int32, outputs),
        )

    def norm(name: str) -> Norm:
        return Norm(take(name, torch.float32, shape.width), shape.norm_epsilon)

    def layer(i: int) -> Int8Layer:
        stem, entry = f"layers.{i}", adapter.entry_layer
        update = adapter.layers[i - entry] if i >= entry else UNADAPTED
        return Int8Layer(
            qkv=Int8Linear(
                matrix(f"{stem}.qkv.weight", sum(qkv_widths), shape.width),
                take(f"{stem}.qkv.bias", torch.float32, sum(qkv_widths)),
                _packed(update.qkv, *qkv_widths),
                norm(f"{stem}.attention_norm"),
            ),
            o=Int8Linear(
                matrix(f"{stem}.o.weight", shape.width, shape.query_width),
                adapter=_packed(update.o, shape.width),
            ),
            gate_up=Int8Linear(
                matrix(f"{stem}.gate_up.weight", 2 * shape.feed_forward, shape.width),
                adapter=_packed(update.gate_up, shape.feed_forward, shape.feed_forward),
                before=norm(f"{stem}.mlp_norm"),
            ),
            down=Int8Linear(
                matrix(f"{stem}.down.weight", shape.width, shape.feed_forward),
                adapter=_packed(update.down, shape.width),
                before=Before.GATE,
            ),
        )

    head = matrix("head", shape.vocabulary, shape.width)
    weights = Int8Weights(
        embedding=embedding,
        layers=tuple(layer(i) for i in range(shape.layers)),
        final_norm=take("final_norm", torch.float32, shape.width),
        norm_epsilon=shape.norm_epsilon,
        head=head,
        guess_head=head.rows(_whole_panels(adapter.guess_tokens)),
        mask_embeddings=adapter.mask_embeddings.float(),
        sampler=Int8Sampler.of(adapter.sampler, native),
    )
    return weights, adapter


def _packed(adapter: LowRank | None, *widths: int) -> PackedLowRank | None:
    return None if adapter is None else PackedLowRank.of(adapter, widths)


def _whole_panels(tokens: Tensor) -> Tensor:
    """The tokens, filled up to a whole panel with the first, which wins before its repetitions."""
    return torch.cat((tokens, tokens[:1].expand(-len(tokens) % PANEL)))
