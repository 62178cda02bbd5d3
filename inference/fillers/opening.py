"""From a model's name to a model in memory that fills holes."""

from __future__ import annotations

from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from midfill.inference.downloads.repository.ensuring import ensure_snapshot
from midfill.inference.errors import MidfillError
from midfill.inference.models.kind import kind_of
from midfill.inference.models.reference import Place
from midfill.inference.prefix_cache import CONTEXT_BYTES

if TYPE_CHECKING:
    import torch

    from midfill.inference.fillers.filler import Filler
    from midfill.inference.models.reference import ModelReference
    from midfill.inference.progress import ProgressListener


def open_filler(
    reference: ModelReference,
    device: torch.device,
    listener: ProgressListener,
    context_bytes: int = CONTEXT_BYTES,
) -> Filler:
    """Load a model, pulling its weights first where they are missing.

    Each kind of model is imported only when it is asked for.

    Args:
        reference: which model.
        device: where to.
        listener: told of progress.
        context_bytes: what the embedded model keeps of encoded contexts.

    Raises:
        MidfillError: the weights cannot be had, are damaged, or are of a kind that is not
            supported; a server does not answer.
    """
    if reference.place is Place.EMBEDDED:
        from midfill.inference.fillers.embedded import EmbeddedFiller
        from midfill.inference.models.loading import load_embedded
        from midfill.inference.shared_model import SharedModel

        loaded = load_embedded(device, listener)
        loaded = replace(loaded, model=SharedModel(loaded.model))
        return EmbeddedFiller(loaded, reference.name, context_bytes)
    if reference.place is Place.VLLM:
        from midfill.inference.fillers.vllm import open_vllm

        return open_vllm(reference, listener)
    _need_transformers()
    folder = _folder(reference, listener)
    if kind_of(folder) == "diffusion-gemma":
        from midfill.inference.fillers.diffusion_gemma import open_diffusion_gemma

        return open_diffusion_gemma(folder, reference, device, listener)
    from midfill.inference.fillers.in_place import open_in_place

    return open_in_place(folder, reference, device, listener)


def _need_transformers() -> None:
    if find_spec("transformers") is None:
        raise MidfillError(
            "the big models need the package transformers: run `pip install 'midfill[models]'`"
        )


def _folder(reference: ModelReference, listener: ProgressListener) -> Path:
    if reference.place is Place.FOLDER:
        return Path(reference.location)
    return ensure_snapshot(reference.location, reference.options.revision, listener)
