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

_PAGE = 4096
"""The data starts on a page, so that a memory map hands out well-aligned tensors."""


_CODES = {"bfloat16": ("BF16", 2), "float32": ("F32", 4), "int32": ("I32", 4), "int8": ("I8", 1)}
"""The format's names of torch's dtypes, and bytes of an element."""

StoredTensor = tuple[str, "torch.dtype", tuple[int, ...]]
"""Name, dtype and shape."""


def write_weights(
    file: BinaryIO,
    layout: Sequence[StoredTensor],
    tensors: Iterable[tuple[str, torch.Tensor]],
) -> None:
    """Write tensors in the order of ``layout``.

    Raises:
        WeightsCorrupt: ``tensors`` is not what ``layout`` says.
        OSError: the file cannot be written.
    """
    import torch

    header: dict[str, object] = {"__metadata__": {"format": "pt"}}
    end = 0
    for name, dtype, shape in layout:
        code, size = _CODES[str(dtype).removeprefix("torch.")]
        start, end = end, end + math.prod(shape) * size
        header[name] = {"dtype": code, "shape": list(shape), "data_offsets": [start, end]}
    encoded = json.dumps(header, separators=(",", ":")).encode()
    encoded = encoded.ljust(-(-(len(encoded) + 8) // _PAGE) * _PAGE - 8)
    file.write(len(encoded).to_bytes(8, "little"))
    file.write(encoded)
    for (expected, dtype, shape), (name, tensor) in zip(layout, tensors, strict=True):
        if (name, tuple(tensor.shape), tensor.dtype) != (expected, shape, dtype):
            raise WeightsCorrupt(f"tensor {name} is not the {expected} that was expected")
        file.write(tensor.contiguous().view(torch.uint8).numpy().data)
