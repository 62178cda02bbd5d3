"""Writing a safetensors file tensor by tensor, so that it never has to be in memory as a whole.

Source: https://github.com/huggingface/safetensors#format
"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING

from midfill.inference.errors import WeightsCorrupt

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import BinaryIO

    import torch

    from midfill.inference.models.embedded.gguf_layout import FusedTensor

_PAGE = 4096
"""The data starts on a page, so that a memory map hands out well-aligned tensors."""


def write_weights(
    file: BinaryIO, layout: Sequence[FusedTensor], tensors: Iterable[tuple[str, torch.Tensor]]
) -> None:
    """Write bfloat16 matrices and float32 vectors in the order of ``layout``.

    Raises:
        WeightsCorrupt: ``tensors`` is not what ``layout`` says.
        OSError: the file cannot be written.
    """
    import torch

    header: dict[str, object] = {"__metadata__": {"format": "pt"}}
    end = 0
    for fused in layout:
        code, size = ("BF16", 2) if fused.is_matrix else ("F32", 4)
        start, end = end, end + math.prod(fused.shape) * size
        header[fused.name] = {
            "dtype": code,
            "shape": list(fused.shape),
            "data_offsets": [start, end],
        }
    encoded = json.dumps(header, separators=(",", ":")).encode()
    encoded = encoded.ljust(-(-(len(encoded) + 8) // _PAGE) * _PAGE - 8)
    file.write(len(encoded).to_bytes(8, "little"))
    file.write(encoded)
    for fused, (name, tensor) in zip(layout, tensors, strict=True):
        dtype = torch.bfloat16 if fused.is_matrix else torch.float32
        if (name, tuple(tensor.shape), tensor.dtype) != (fused.name, fused.shape, dtype):
            raise WeightsCorrupt(f"tensor {name} is not the {fused.name} that was expected")
        file.write(tensor.contiguous().view(torch.uint8).numpy().data)
