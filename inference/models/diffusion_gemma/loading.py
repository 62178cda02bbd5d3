"""From a model's folder to DiffusionGemma in memory.

Weights are safetensors, and have to be exactly what the configuration describes: every tensor of
it, of its shape, and no other. All of that is looked at before anything large is read.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError
from transformers import (
    DiffusionGemmaConfig,
    DiffusionGemmaForBlockDiffusion,
    DiffusionGemmaGenerationConfig,
)
from transformers.utils import logging as transformers_logging

from midfill.inference.errors import UsageError, WeightsCorrupt
from midfill.inference.models.diffusion_gemma.damage import (
    refuse_damaged_config,
    refuse_damaged_settings,
    refuse_numbers_that_are_none,
)
from midfill.inference.models.diffusion_gemma.model import DiffusionGemma
from midfill.inference.models.dtypes import dtype_of
from midfill.inference.models.json_file import read_json
from midfill.inference.models.kind import read_config, unsupported
from midfill.inference.models.quantised.quantise import compute_in, is_quantised, quantise
from midfill.inference.models.tensor_files import stored_tensors
from midfill.inference.progress import Progress

if TYPE_CHECKING:
    from pathlib import Path

    from midfill.inference.models.options import Options
    from midfill.inference.progress import ProgressListener

MODEL_TYPE = "diffusion_gemma"

FOR_THE_TASK = 512
"""Positions kept for the task, and for the markers around it."""

MOST_LAYERS = 1000
"""No model has more; a larger number is damage, and would take for ever to lay out."""


@dataclass(frozen=True, slots=True)
class LoadedNetwork:
    """The model, and the settings that it was published with."""

    model: DiffusionGemma
    published: DiffusionGemmaGenerationConfig


def load_model(
    folder: Path, options: Options, device: torch.device, listener: ProgressListener
) -> LoadedNetwork:
    """Load DiffusionGemma from its folder.

    Raises:
        UsageError: the folder holds another kind of model or no safetensors, or the model is too
            short for the canvas.
        WeightsCorrupt: its files are damaged or do not fit together.
    """
    config = read_model_config(folder)
    dtype, quantised = dtype_of(options.weights, device), is_quantised(options.weights)
    _refuse_wide_canvas(config, options)
    published = _generation_config(folder)
    check_tensors(folder, config)
    listener(Progress(f"loading DiffusionGemma from {folder}"))
    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    # Quantised weights go to the device one by one; full ones as they are read.
    at_once = device.type != "cpu" and not quantised
    placement: dict[str, Any] = {"device_map": device} if at_once else {}
    try:
        network = DiffusionGemmaForBlockDiffusion.from_pretrained(
            folder,
            config=config,
            # Of their own type, weights stay in the mapped files until they are packed.
            dtype="auto" if quantised else dtype,
            local_files_only=True,
            use_safetensors=True,
            attn_implementation="sdpa",
            **placement,
        )
    except (SafetensorError, OSError) as error:
        raise WeightsCorrupt(
            f"the weights in {folder} cannot be read ({type(error).__name__}); pull the model again"
        ) from error
    # Nothing here shows it pictures, and the tower would take a gigabyte.
    network.model.encoder.vision_tower = None
    network.model.encoder.embed_vision = None
    network.requires_grad_(False).train(False)
    quantise(network, options.weights, device, dtype)
    compute_in(network, dtype)
    for module in network.modules():
        if hasattr(module, "scalar_embed_scale"):  # not stored, so rounded to the file's type
            module.embed_scale = torch.tensor(module.scalar_embed_scale, dtype=dtype)
    torch.nn.Module.to(network, device)
    model = DiffusionGemma(network)
    refuse_numbers_that_are_none(model, folder)
    return LoadedNetwork(model, published)


def read_model_config(folder: Path) -> DiffusionGemmaConfig:
    """The configuration in a model's folder.

    Raises:
        UsageError: it is that of another kind of model, or of a variant that is not supported.
        WeightsCorrupt: there is none, or it is damaged.
    """
    fields = read_config(folder)
    path = folder / "config.json"
    if fields.get("model_type") != MODEL_TYPE:
        raise unsupported(folder, fields.get("model_type"))
    if fields.get("quantization_config"):
        raise UsageError(
            f"the weights in {folder} are quantised already; take the published bfloat16 ones, "
            "with weights=int8 or weights=int4 if they are too large"
        )
    try:
        config = DiffusionGemmaConfig.from_dict(
            {name: value for name, value in fields.items() if name != "auto_map"}
        )
        text = config.get_text_config()
        sane = 0 < text.num_hidden_layers <= MOST_LAYERS and text.sliding_window > 1
        causal = text.use_bidirectional_attention != "all"
    except Exception as error:  # transformers checks fields with exceptions of many kinds
        raise WeightsCorrupt(
            f"{path} is damaged ({type(error).__name__}); pull the model again"
        ) from error
    if not sane:
        raise WeightsCorrupt(f"{path} is damaged; pull the model again")
    refuse_damaged_config(text, path)  # type: ignore[arg-type]
    if not causal:
        raise UsageError(f"{path} asks for a context that is not causal, which is not supported")
    return config


def check_tensors(folder: Path, config: DiffusionGemmaConfig) -> None:
    """Compare the tensors in a folder with those that the configuration describes.

    Weights that are the same in both modes are stored once; the other name may be there or not.

    Raises:
        UsageError: there are no safetensors.
        WeightsCorrupt: tensors are missing, too many, or of other shapes.
    """
    found = {tensor.name: tensor.shape for tensor in stored_tensors(folder)}
    try:
        with torch.device("meta"):
            network = DiffusionGemmaForBlockDiffusion(config)
    except Exception as error:  # fields that do not fit together fail anywhere in there
        raise WeightsCorrupt(
            f"config.json in {folder} describes no model ({type(error).__name__}); "
            "pull the model again"
        ) from error
    wanted = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    aliases = set(network.all_tied_weights_keys)
    if missing := sorted(wanted.keys() - aliases - found.keys()):
        raise WeightsCorrupt(
            f"half a checkpoint: {folder} lacks the tensor {_listed(missing)}; pull the model again"
        )
    if unexpected := sorted(found.keys() - wanted.keys()):
        raise WeightsCorrupt(
            f"{folder} has the tensor {_listed(unexpected)}, for which the model has no use: "
            "its files belong to different models"
        )
    for name, shape in found.items():
        if shape != wanted[name]:
            raise WeightsCorrupt(
                f"the tensor {name} in {folder} has the shape {shape}, but config.json asks for "
                f"{wanted[name]}: its files belong to different models"
            )


def _generation_config(folder: Path) -> DiffusionGemmaGenerationConfig:
    """The published settings; empty where there are none.

    Raises:
        WeightsCorrupt: they are damaged.
    """
    path = folder / "generation_config.json"
    if not path.is_file():
        return DiffusionGemmaGenerationConfig()  # type: ignore[no-untyped-call]
    read_json(path)
    try:
        published = DiffusionGemmaGenerationConfig.from_pretrained(folder, local_files_only=True)
        assert isinstance(published, DiffusionGemmaGenerationConfig)
    except Exception as error:  # transformers checks fields with exceptions of many kinds
        raise WeightsCorrupt(
            f"{path} is damaged ({type(error).__name__}); pull the model again"
        ) from error
    refuse_damaged_settings(published, path)
    return published


def _refuse_wide_canvas(config: DiffusionGemmaConfig, options: Options) -> None:
    positions = config.get_text_config().max_position_embeddings
    needed = options.canvas + options.prefix_tokens + options.suffix_tokens + FOR_THE_TASK
    if needed > positions:
        raise UsageError(
            f"the model has {positions} positions, too few for canvas={options.canvas}, "
            f"prefix-tokens={options.prefix_tokens} and suffix-tokens={options.suffix_tokens}; "
            "ask for less"
        )


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - 1} more" if len(names) > 1 else ""
    return f"{names[0]}{more}"
