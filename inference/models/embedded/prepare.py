"""What is made of the embedded model's GGUF file once, so that every start of the engine is quick.

Reading the file's vocabulary and dequantising its tensors takes seconds; what is written here is
mapped into memory.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from midfill.inference.downloads.model_folder import Product
from midfill.inference.models.embedded.architecture import Architecture
from midfill.inference.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import torch

    from midfill.inference.progress import ProgressListener

FORMAT = 1
"""Version of what is written here. A new one has them made anew at the next start."""


def write_tokenizer(gguf: Path, target: Path, listener: ProgressListener) -> None:
    """Write the ``tokenizer.json`` of a GGUF file to ``target``."""
    from midfill.inference.models.embedded.gguf_file import read_gguf
    from midfill.inference.tokenizer import tokenizer_json

    listener(Progress("preparing the embedded model", 0.0))
    target.write_text(tokenizer_json(read_gguf(gguf)), "utf-8")


def write_bfloat16_weights(gguf: Path, target: Path, listener: ProgressListener) -> None:
    """Write the dequantised tensors of a GGUF file to ``target``, in `fused_layout`."""
    import torch

    from midfill.inference.models.embedded.gguf_layout import fused_layout
    from midfill.inference.models.embedded.weights_file import write_weights

    layout = [
        (fused.name, torch.bfloat16 if fused.is_matrix else torch.float32, fused.shape)
        for fused in fused_layout(Architecture())
    ]
    with target.open("wb") as file:
        write_weights(file, layout, _dequantised(gguf, torch.bfloat16, listener))


def write_int8_weights(gguf: Path, target: Path, listener: ProgressListener) -> None:
    """Write the tensors of a GGUF file to ``target``, rounded as `int8_weights` stores them."""
    import torch

    from midfill.inference.models.embedded.gguf_layout import fused_layout
    from midfill.inference.models.embedded.int8_weights import rounded, stored_tensors
    from midfill.inference.models.embedded.weights_file import write_weights

    layout = list(stored_tensors(fused_layout(Architecture())))
    with target.open("wb") as file:
        dequantised = _dequantised(gguf, torch.float32, listener)
        stored = (part for name, tensor in dequantised for part in rounded(name, tensor))
        write_weights(file, layout, stored)


def _dequantised(
    gguf: Path, dtype: torch.dtype, listener: ProgressListener
) -> Iterator[tuple[str, torch.Tensor]]:
    from midfill.inference.models.embedded.gguf_layout import dequantised_tensors, fused_layout

    total = sum(math.prod(tensor.shape) for tensor in fused_layout(Architecture()))
    done = 0
    for name, tensor in dequantised_tensors(gguf, dtype):
        listener(Progress("preparing the embedded model", done / total))
        yield name, tensor
        done += tensor.numel()


TOKENIZER = Product("tokenizer.json", 6_000_000, write_tokenizer)
BFLOAT16_WEIGHTS = Product("weights-bf16.safetensors", 1_261_000_000, write_bfloat16_weights)
INT8_WEIGHTS = Product("weights-int8.safetensors", 770_000_000, write_int8_weights)
