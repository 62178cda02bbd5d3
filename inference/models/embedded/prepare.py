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
"""Version of what `PRODUCTS` write. A new one has them made anew at the next start."""


def write_tokenizer(gguf: Path, target: Path, listener: ProgressListener) -> None:
    """Write the ``tokenizer.json`` of a GGUF file to ``target``."""
    from midfill.inference.models.embedded.gguf_file import read_gguf
    from midfill.inference.tokenizer import tokenizer_json

    listener(Progress("preparing the embedded model", 0.0))
    target.write_text(tokenizer_json(read_gguf(gguf)), "utf-8")


def write_bfloat16_weights(gguf: Path, target: Path, listener: ProgressListener) -> None:
    """Write the dequantised tensors of a GGUF file to ``target``, in `fused_layout`."""
    import torch

    from midfill.inference.models.embedded.gguf_layout import dequantised_tensors, fused_layout
    from midfill.inference.models.embedded.weights_file import write_weights

    layout = fused_layout(Architecture())
    total = sum(math.prod(tensor.shape) for tensor in layout)

    def watched() -> Iterator[tuple[str, torch.Tensor]]:
        done = 0
        for name, tensor in dequantised_tensors(gguf, torch.bfloat16):
            listener(Progress("preparing the embedded model", done / total))
            yield name, tensor
            done += tensor.numel()

    with target.open("wb") as file:
        write_weights(file, layout, watched())


TOKENIZER = Product("tokenizer.json", 6_000_000, write_tokenizer)
WEIGHTS = Product("weights-bf16.safetensors", 1_261_000_000, write_bfloat16_weights)
PRODUCTS = (TOKENIZER, WEIGHTS)
