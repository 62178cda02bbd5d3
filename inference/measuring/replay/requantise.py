"""The embedded model's GGUF file with its matrices in another quantisation, for llama.cpp."""

from __future__ import annotations

import os
import tempfile
from contextlib import closing
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from midfill.inference.downloads.cache_folder import (
    cache_folder,
    disk_errors,
    make_folder,
    need_space,
)
from midfill.inference.errors import UsageError
from midfill.inference.progress import Progress

if TYPE_CHECKING:
    from gguf import GGUFReader, GGUFWriter

    from midfill.inference.progress import ProgressListener


class Quantisation(StrEnum):
    """What llama.cpp runs the embedded model in."""

    Q4_K_M = "Q4_K_M"
    """The file as it was published."""
    Q4_0 = "Q4_0"
    Q8_0 = "Q8_0"


HEAD = "output.weight"
"""Stays as published, in Q8_0: programs that quantise keep it better than the rest."""

ROOM = 700_000_000
"""Bytes that the largest of them takes, roughly."""


def parse_quantisations(names: str) -> tuple[Quantisation, ...]:
    """Names between commas, each once.

    Raises:
        UsageError: one is not known.
    """
    found = []
    for name in filter(None, (part.strip().upper() for part in names.split(","))):
        if name not in set(Quantisation):
            known = ", ".join(Quantisation)
            raise UsageError(f"--quantisations: {name[:40]!r} is none of {known}")
        found.append(Quantisation(name))
    if not found:
        raise UsageError("--quantisations names none")
    return tuple(dict.fromkeys(found))


def quantised_file(published: Path, quantisation: Quantisation, listener: ProgressListener) -> Path:
    """The file in a quantisation, which is written first where it is missing.

    Args:
        published: the embedded model's own file.
        quantisation: of all matrices but the head.
        listener: told how far it is.

    Raises:
        NoSpace: it does not fit on the disk.
        MidfillError: the cache folder cannot be used.
    """
    if quantisation is Quantisation.Q4_K_M:
        return published
    folder = cache_folder() / "bench"
    target = folder / f"{published.stem.removesuffix('-q4_k_m')}-{quantisation.lower()}.gguf"
    if target.is_file():
        return target
    make_folder(folder)
    need_space(folder, ROOM)
    with disk_errors(folder, ROOM):
        descriptor, name = tempfile.mkstemp(".part", target.name, folder)
        os.close(descriptor)
        unfinished = Path(name)
        try:
            requantise(published, unfinished, quantisation, listener)
            unfinished.replace(target)
        finally:
            unfinished.unlink(missing_ok=True)
    return target


def requantise(
    source: Path, target: Path, quantisation: Quantisation, listener: ProgressListener
) -> None:
    """Write a GGUF file whose matrices are dequantised and quantised anew.

    Everything else is copied, the head with it.

    Args:
        source: any GGUF file.
        target: what to write.
        quantisation: Q4_0 or Q8_0.
        listener: told how far it is.
    """
    import numpy as np
    from gguf import (
        GGML_QUANT_SIZES,
        GGMLQuantizationType,
        GGUFReader,
        GGUFWriter,
        LlamaFileType,
    )
    from gguf.quants import dequantize, quantize

    kind = GGMLQuantizationType[quantisation.name]
    message = f"writing the embedded model in {quantisation} for llama.cpp, once"
    listener(Progress(message, 0.0))
    reader = GGUFReader(source)
    writer = GGUFWriter(target, _text(reader, "general.architecture"))
    _copy_metadata(reader, writer)
    writer.add_file_type(LlamaFileType[f"MOSTLY_{quantisation.name}"])
    writer.add_quantization_version(2)
    changed = [len(tensor.shape) == 2 and tensor.name != HEAD for tensor in reader.tensors]
    with closing(writer):
        for tensor, anew in zip(reader.tensors, changed, strict=True):
            to = kind if anew else tensor.tensor_type
            shape = tuple(int(size) for size in reversed(tensor.shape))
            block, size = GGML_QUANT_SIZES[to]
            count = int(tensor.n_elements) // block * size
            # a shape of elements, which the type of float says
            writer.add_tensor_info(tensor.name, shape, np.dtype(np.float32), count, raw_dtype=to)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_ti_data_to_file()
        total, done = sum(tensor.n_elements for tensor in reader.tensors), 0
        for tensor, anew in zip(reader.tensors, changed, strict=True):
            data = tensor.data
            if anew:
                data = quantize(dequantize(data, tensor.tensor_type), kind)
            writer.write_tensor_data(data)
            done += int(tensor.n_elements)
            listener(Progress(message, done / total))


def _text(reader: GGUFReader, key: str) -> str:
    field = reader.get_field(key)
    return str(field.contents()) if field is not None else ""


def _copy_metadata(reader: GGUFReader, writer: GGUFWriter) -> None:
    from gguf import GGUFValueType

    anew = (
        "general.architecture",
        "general.alignment",
        "general.file_type",
        "general.quantization_version",
    )
    for field in reader.fields.values():
        if field.name in anew or field.name.startswith("GGUF."):
            continue
        kind = field.types[0]
        inner = field.types[-1] if kind == GGUFValueType.ARRAY else None
        writer.add_key_value(field.name, field.contents(), kind, inner)
