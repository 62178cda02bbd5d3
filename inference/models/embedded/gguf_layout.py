"""The embedded model's tensors, dequantised and in the fused layout that the engine runs on.

Weights are (out, in), as `torch.nn.functional.linear` expects them. What is multiplied with the
same input is stacked into one matrix, so that a layer is four multiplications:

====================================  ==============  ======================================
name                                  shape           what it stacks
====================================  ==============  ======================================
``embedding``                         (151936, 896)
``layers.{i}.attention_norm``         (896,)
``layers.{i}.qkv.weight``             (1152, 896)     896 rows of q, 128 of k, 128 of v
``layers.{i}.qkv.bias``               (1152,)         likewise
``layers.{i}.o.weight``               (896, 896)
``layers.{i}.mlp_norm``               (896,)
``layers.{i}.gate_up.weight``         (9728, 896)     4864 rows of gate, 4864 of up
``layers.{i}.down.weight``            (896, 4864)
``final_norm``                        (896,)
``head``                              (151936, 896)
====================================  ==============  ======================================

The head is a tensor of its own: the architecture ties it to the embedding, but the publisher
quantised the two differently.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from midfill.inference.errors import WeightsCorrupt
from midfill.inference.models.embedded.architecture import Architecture
from midfill.inference.models.embedded.gguf_file import GgufFile, TensorInfo, read_gguf

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import numpy as np
    import torch
    from numpy.typing import NDArray

_ROWS_AT_ONCE = 2048
"""Rows dequantised by one thread at a time: about 7 MB of float32 for most matrices."""


@dataclass(frozen=True, slots=True)
class FusedTensor:
    """One tensor of the layout, and the GGUF tensors whose rows it stacks."""

    name: str
    shape: tuple[int, ...]
    stacks: tuple[str, ...]

    @property
    def is_matrix(self) -> bool:
        """Matrices take the dtype asked for; norms and biases stay in float32."""
        return len(self.shape) == 2


def fused_layout(architecture: Architecture) -> tuple[FusedTensor, ...]:
    """Every tensor of the layout, in the order in which a forward pass needs them."""
    vocabulary = (architecture.vocabulary, architecture.width)
    tensors = [FusedTensor("embedding", vocabulary, ("token_embd.weight",))]
    for i in range(architecture.layers):
        tensors += _layer(architecture, f"layers.{i}.", f"blk.{i}.")
    tensors.append(FusedTensor("final_norm", (architecture.width,), ("output_norm.weight",)))
    tensors.append(FusedTensor("head", vocabulary, ("output.weight",)))
    return tuple(tensors)


def _layer(shape: Architecture, ours: str, theirs: str) -> list[FusedTensor]:
    width, inner = shape.width, shape.feed_forward
    qkv = shape.query_width + 2 * shape.key_width
    projections = [f"{theirs}attn_{part}" for part in "qkv"]
    return [
        FusedTensor(f"{ours}attention_norm", (width,), (f"{theirs}attn_norm.weight",)),
        FusedTensor(
            f"{ours}qkv.weight", (qkv, width), tuple(f"{part}.weight" for part in projections)
        ),
        FusedTensor(f"{ours}qkv.bias", (qkv,), tuple(f"{part}.bias" for part in projections)),
        FusedTensor(
            f"{ours}o.weight", (width, shape.query_width), (f"{theirs}attn_output.weight",)
        ),
        FusedTensor(f"{ours}mlp_norm", (width,), (f"{theirs}ffn_norm.weight",)),
        FusedTensor(
            f"{ours}gate_up.weight",
            (2 * inner, width),
            (f"{theirs}ffn_gate.weight", f"{theirs}ffn_up.weight"),
        ),
        FusedTensor(f"{ours}down.weight", (width, inner), (f"{theirs}ffn_down.weight",)),
    ]


def dequantised_tensors(
    gguf: Path | GgufFile, dtype: torch.dtype, architecture: Architecture | None = None
) -> Iterator[tuple[str, torch.Tensor]]:
    """Dequantise a GGUF file, one fused tensor after the other.

    Only one tensor is held at a time (the largest has 136 million elements), and float32 only a
    few rows of it unless that is the ``dtype`` asked for.

    Args:
        gguf: the file, or its head if that has been read already.
        dtype: of the matrices; norms and biases are always float32.
        architecture: the model's shape; by default the embedded model's.

    Yields:
        Names and contiguous tensors on the CPU, in the order of `fused_layout`.

    Raises:
        WeightsCorrupt: a tensor is missing, has another shape, or is cut off.
    """
    import numpy as np
    import torch

    source = gguf if isinstance(gguf, GgufFile) else read_gguf(gguf)
    blocks = np.memmap(source.path, dtype=np.uint8, mode="r")
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        for fused in fused_layout(architecture or Architecture()):
            tensor = torch.empty(fused.shape, dtype=dtype if fused.is_matrix else torch.float32)
            row = 0
            for name in fused.stacks:
                info = _find(source, name)
                rows = _Rows(info, _quantised_rows(blocks, info, source.path))
                target = tensor[row : row + info.shape[0]]
                if target.shape != info.shape:
                    raise _unexpected(source.path, f"tensor {name} of shape {info.shape}")
                starts = range(0, info.shape[0], _ROWS_AT_ONCE)
                list(threads.map(rows.into, [target] * len(starts), starts))
                row += info.shape[0]
            if row != fused.shape[0]:
                raise _unexpected(source.path, f"{row} rows for {fused.name}")
            yield fused.name, tensor


@dataclass(frozen=True, slots=True)
class _Rows:
    info: TensorInfo
    quantised: NDArray[np.uint8]  # (rows, bytes of one row)

    def into(self, target: torch.Tensor, start: int) -> None:
        """Dequantise `_ROWS_AT_ONCE` rows from ``start`` on into the same rows of ``target``."""
        import torch
        from gguf import GGMLQuantizationType, dequantize

        quantised = self.quantised[start : start + _ROWS_AT_ONCE]
        values = dequantize(quantised, GGMLQuantizationType(self.info.quantisation))
        part = target[start : start + _ROWS_AT_ONCE]
        if (
            not values.flags.writeable
        ):  # float32 comes back as a view of the file, which torch warns of
            values = values.copy()
        # a vector's elements are its rows here, so dequantising gives it a second axis
        part.copy_(torch.from_numpy(values).view(part.shape))


def _quantised_rows(blocks: NDArray[np.uint8], info: TensorInfo, path: Path) -> NDArray[np.uint8]:
    from gguf import GGML_QUANT_SIZES, GGMLQuantizationType

    block_elements, block_bytes = GGML_QUANT_SIZES[GGMLQuantizationType(info.quantisation)]
    rows = info.shape[0]
    row_elements = info.shape[1] if len(info.shape) == 2 else 1
    row_bytes = row_elements // block_elements * block_bytes
    end = info.offset + rows * row_bytes
    if row_bytes == 0 or end > len(blocks):
        raise WeightsCorrupt(
            f"{path} is cut off; `midfill model pull embedded` fetches the rest of it"
        )
    return blocks[info.offset : end].reshape(rows, row_bytes)


def _find(source: GgufFile, name: str) -> TensorInfo:
    try:
        return source.tensors[name]
    except KeyError:
        raise _unexpected(source.path, f"no tensor {name}") from None


def _unexpected(path: Path, what: str) -> WeightsCorrupt:
    return WeightsCorrupt(f"{path} has {what}; it is not the embedded model's file")
