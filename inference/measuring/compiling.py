"""`torch.compile` for the layers of a model in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from midfill.inference.errors import UsageError
from midfill.inference.models.reference import Place

if TYPE_CHECKING:
    from collections.abc import Iterable

    from torch import nn

    from midfill.inference.engine import Engine


def compile_layers(engine: Engine) -> int:
    """Compile the feed-forward part of every layer, which is the same function in all of them.

    Attention is left alone: what it reads of a cache changes its shape all the time, and each shape
    would be compiled anew.

    Returns:
        How many parts.

    Raises:
        UsageError: the model has no layers of the kind.
    """
    parts = list(_feed_forward_parts(engine))
    if not parts:
        raise UsageError(f"--compile: the model {engine.model!r} has no layers to compile")
    for part in parts:
        part.compile(dynamic=False)
    return len(parts)


def _feed_forward_parts(engine: Engine) -> Iterable[nn.Module]:
    if engine.reference.place not in (Place.FOLDER, Place.HUB):
        return ()
    from midfill.inference.fillers.diffusion_gemma import DiffusionGemmaFiller
    from midfill.inference.fillers.in_place import InPlaceFiller

    filler = engine.filler
    if isinstance(filler, InPlaceFiller):
        layers = filler._checkpoint.backbone.model.layers
    elif isinstance(filler, DiffusionGemmaFiller):
        layers = filler._model.network.model.decoder.layers
    else:
        return ()
    return [layer.mlp for layer in layers]
