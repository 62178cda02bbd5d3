"""A checkpoint of the absorbing-mask family, from a folder into memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from midfill.inference.errors import UsageError, WeightsCorrupt
from midfill.inference.models.absorbing.backbone import HEAD, empty_backbone, fill_backbone
from midfill.inference.models.absorbing.families import family_of
from midfill.inference.models.absorbing.special_tokens import (
    SpecialTokens,
    banned_tokens,
    special_tokens,
)
from midfill.inference.models.hub_tokenizer import HubTokenizer
from midfill.inference.models.json_file import read_object
from midfill.inference.models.kind import read_config, unsupported
from midfill.inference.models.options import Length
from midfill.inference.models.tensor_files import stored_tensors
from midfill.inference.progress import nobody_listens

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import torch
    from torch import nn
    from transformers import PreTrainedModel

    from midfill.inference.progress import ProgressListener

MOST_LAYERS = 1000
"""No model has more; a larger number is damage, and would take for ever to lay out."""


@dataclass(frozen=True, slots=True)
class AbsorbingCheckpoint:
    """A model in memory, and what there is to know about it.

    Attributes:
        backbone: a native ``…ForCausalLM``, in evaluation mode, without gradients. Its own masks
            are causal: give it one.
        tokenizer: its own.
        tokens: its special tokens.
        shift: whether the row of the slot before predicts a slot.
        longest: tokens that it can take at once.
        family: what it is called.
        length: how its middles come to their length.
        banned: ids that may never be put in a hole.
    """

    backbone: PreTrainedModel
    tokenizer: HubTokenizer
    tokens: SpecialTokens
    shift: bool
    longest: int
    family: str
    length: Length
    banned: frozenset[int]


def read_checkpoint(
    folder: Path,
    *,
    dtype: torch.dtype,
    device: torch.device,
    listener: ProgressListener = nobody_listens,
    quantisation: Callable[[nn.Module], None] | None = None,
) -> AbsorbingCheckpoint:
    """Read a checkpoint in its publisher's layout.

    No code from the folder is run and no pickle opened. Every tensor must belong to exactly one
    parameter of the native architecture, and every parameter must have one.

    Args:
        folder: with ``config.json``, the tokenizer's files and safetensors.
        dtype, device: what to hold the weights as, and where.
        listener: told how far it is.
        quantisation: called with each layer as soon as it is on the device; changes its weights.

    Raises:
        UsageError: the model is not supported, or the folder has no weights that may be opened.
        WeightsCorrupt: a file is missing or damaged, or the files do not belong together.
    """
    config = read_config(folder)
    family = family_of(config)
    if family is None:
        raise unsupported(folder, config.get("model_type"))
    if reason := family.refusal(config, str(folder)):
        raise UsageError(f"the {family.name} model in {folder} is not supported: {reason}")
    shape = family.shape(config)
    if shape.layers > MOST_LAYERS:
        raise WeightsCorrupt(f"config.json in {folder} asks for {shape.layers} layers")
    tokenizer = HubTokenizer(folder)
    if any(tokenizer.vocabulary_bytes[shape.vocabulary :]):
        raise WeightsCorrupt(
            f"the tokenizer in {folder} has {tokenizer.size} tokens, but the model only "
            f"{shape.vocabulary}; they are not of the same model"
        )
    generation = read_object(folder / "generation_config.json")
    tokens = special_tokens(family, config, generation, tokenizer, shape.vocabulary)
    tensors = stored_tensors(folder)
    # Some publishers say that the head is tied and store another one all the same.
    has_head = any(family.rename(tensor.name) == HEAD for tensor in tensors)
    backbone = empty_backbone(
        family.backbones[config["model_type"]],
        shape,
        tied=not has_head and shape.tied is not False,
    )
    fill_backbone(
        backbone,
        tensors,
        family.rename,
        dtype=dtype,
        device=device,
        quantise=quantisation,
        listener=listener,
    )
    return AbsorbingCheckpoint(
        backbone=backbone,
        tokenizer=tokenizer,
        tokens=tokens,
        shift=family.shift,
        longest=min(shape.positions, family.trained_context or shape.positions),
        family=family.name if tokens.expand is None else family.resizing_name,
        length=Length.SEARCH if tokens.expand is None else Length.EXPAND_DELETE,
        banned=banned_tokens(tokens, tokenizer, shape.vocabulary),
    )
