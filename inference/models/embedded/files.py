"""The files that the embedded model is loaded from."""

from __future__ import annotations

import os
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from midfill.inference.downloads.cache_folder import cache_folder
from midfill.inference.downloads.model_folder import ModelFolder
from midfill.inference.models.embedded import prepare, published
from midfill.inference.progress import ProgressListener, nobody_listens
from midfill.kernels.native.library import native_library

ADAPTER = Path(__file__).with_name("adapter.safetensors")
"""Ships with the package."""

CALIBRATION = Path(__file__).with_name("confidence.json")
"""Ships with the package; see `midfill calibrate`."""

ADAPTER_VARIABLE = "MIDFILL_ADAPTER"
"""The environment variable that names an adapter to use instead, such as one of `midfill train`."""


class Form(StrEnum):
    """What the base weights are prepared as."""

    BFLOAT16 = "bfloat16"
    INT8 = "int8"


@dataclass(frozen=True, slots=True)
class EmbeddedFiles:
    """Where the files are.

    Attributes:
        gguf: the base weights as published.
        weights: the same as safetensors, in the form that was asked for.
        tokenizer: a ``tokenizer.json``.
        adapter: what fills mask slots.
    """

    gguf: Path
    weights: Path
    tokenizer: Path
    adapter: Path


def form_on_cpu() -> Form:
    """What the engine runs on a CPU: int8 where the native operations were built."""
    return Form.BFLOAT16 if native_library() is None else Form.INT8


def embedded_folder(form: Form | None = None) -> ModelFolder:
    """The embedded model's folder in the cache, whether or not it is there yet.

    Args:
        form: of the weights; by default what runs on a CPU.
    """
    return ModelFolder(
        cache_folder() / "models" / "embedded",
        published.WEIGHTS,
        published.SOURCES,
        (prepare.TOKENIZER, _WEIGHTS[form or form_on_cpu()]),
        prepare.FORMAT,
    )


def adapter_file() -> Path:
    """The adapter in use."""
    chosen = os.environ.get(ADAPTER_VARIABLE)
    return Path(chosen).expanduser().absolute() if chosen else ADAPTER


def ensure_files(
    listener: ProgressListener = nobody_listens,
    *,
    pull: bool = True,
    form: Form | None = None,
) -> EmbeddedFiles:
    """The files, which are pulled and prepared first where they are missing.

    Costs a few `stat` calls when everything is there, and imports neither torch nor anything else
    that is slow.

    Args:
        listener: told of work that takes long, at least every second; whatever it raises breaks
            the work off, and what has arrived by then is kept.
        pull: whether the network may be used.
        form: of the weights; by default what runs on a CPU.

    Raises:
        WeightsMissing: the model has not been pulled and ``pull`` is false.
        WeightsCorrupt: the pulled file has been damaged.
        DownloadFailed: no source could be reached.
        NoSpace: the disk of the cache folder is full.
        MidfillError: the cache folder cannot be used.
    """
    form = form or form_on_cpu()
    folder = embedded_folder(form)
    folder.ensure(listener, pull=pull)
    return EmbeddedFiles(
        gguf=folder.path / published.WEIGHTS.name,
        weights=folder.path / _WEIGHTS[form].name,
        tokenizer=folder.path / prepare.TOKENIZER.name,
        adapter=adapter_file(),
    )


_WEIGHTS = {Form.BFLOAT16: prepare.BFLOAT16_WEIGHTS, Form.INT8: prepare.INT8_WEIGHTS}
