"""What kind of model a folder holds, as its ``config.json`` says.

Never imports torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from midfill.inference.errors import UsageError, WeightsCorrupt
from midfill.inference.models.absorbing.families import (
    REASONS_AGAINST,
    family_of,
    supported_model_types,
)
from midfill.inference.models.json_file import read_json

if TYPE_CHECKING:
    from pathlib import Path

DIFFUSION_GEMMA = "diffusion-gemma"
ABSORBING = "absorbing"


def kind_of(folder: Path) -> str:
    """`DIFFUSION_GEMMA` or `ABSORBING`.

    Raises:
        UsageError: there is no ``config.json``, or it is of a model that Midfill cannot fill with.
        WeightsCorrupt: it is damaged.
    """
    config = read_config(folder)
    model_type = config.get("model_type")
    if model_type == "diffusion_gemma":
        return DIFFUSION_GEMMA
    if family_of(config):
        return ABSORBING
    raise unsupported(folder, model_type)


def read_config(folder: Path) -> dict[str, Any]:
    """A model's ``config.json``.

    Raises:
        UsageError: there is none, or a GGUF file instead.
        WeightsCorrupt: it is damaged.
    """
    path = folder / "config.json"
    if not path.is_file() and any(folder.glob("*.gguf")):
        raise UsageError(
            f"{folder} holds a GGUF file; big models are opened from safetensors, or from a server "
            "as vllm:URL#NAME"
        )
    if not path.is_file():
        raise UsageError(f"{folder} has no config.json, so it is not a model's folder")
    config = read_json(path)
    if not isinstance(config, dict):
        raise WeightsCorrupt(f"{path} is damaged; pull the model again")
    return config


def unsupported(folder: Path, model_type: object) -> UsageError:
    """The error about a model type that is not among the supported ones."""
    known = ", ".join(("diffusion_gemma", *supported_model_types()))
    reason = REASONS_AGAINST.get(str(model_type))
    because = f" because {reason}" if reason else ""
    return UsageError(
        f"the model in {folder} is of type {str(model_type)[:60]!r}, which is not "
        f"supported{because}; supported are: {known}"
    )
