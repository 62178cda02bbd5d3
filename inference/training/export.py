"""Writing the adapter file that the model loads."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from safetensors.torch import save_file

from midfill.inference.models.embedded.adapter import FORMAT
from midfill.inference.training.whole_file import written_whole

if TYPE_CHECKING:
    from pathlib import Path

    from midfill.inference.training.checkpoint import RunState
    from midfill.inference.training.recipe import Shape


def export_adapter(path: Path, state: RunState, shape: Shape) -> None:
    """Write the averaged weights in bfloat16; the old file survives a failure.

    Raises:
        NoSpace: the disk is full.
        MidfillError: the file cannot be written.
    """
    tensors = {
        name: tensor.detach().to(torch.bfloat16).contiguous()
        for name, tensor in state.averaged.items()
    }
    tensors["guess_tokens"] = state.guess_tokens.to(torch.int32)
    metadata = {
        "format": FORMAT,
        "entry_layer": str(shape.entry_layer),
        "targets": str(state.targets),
        "licence": "Apache-2.0",
    }
    with written_whole(path) as partial:
        save_file(tensors, partial, metadata)
