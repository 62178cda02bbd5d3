"""Writing the adapter file that the model loads."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from safetensors import SafetensorError
from safetensors.torch import save_file

from midfill.inference.errors import MidfillError
from midfill.inference.models.embedded.adapter import FORMAT

if TYPE_CHECKING:
    from pathlib import Path

    from midfill.inference.training.checkpoint import RunState
    from midfill.inference.training.recipe import Shape


def export_adapter(path: Path, state: RunState, shape: Shape) -> None:
    """Write the averaged weights in bfloat16; the old file survives a failure.

    Raises:
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
    partial = path.with_name(f"{path.name}.partial")
    try:
        save_file(tensors, partial, metadata)
        partial.replace(path)
    except (OSError, SafetensorError) as error:
        raise MidfillError(f"the adapter cannot be written to {path} ({error})") from error
    finally:
        partial.unlink(missing_ok=True)
