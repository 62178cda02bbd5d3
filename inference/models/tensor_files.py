"""The safetensors files of a checkpoint: which tensor lies where, before any is read.

Pickles are never opened, since opening one can run code.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from safetensors import SafetensorError, safe_open

from midfill.inference.errors import UsageError, WeightsCorrupt
from midfill.inference.models.json_file import read_json

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from torch import Tensor

INDEX = "model.safetensors.index.json"

_PICKLES = {".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle"}
_FLOATS = {"F64", "F32", "F16", "BF16"}


@dataclass(frozen=True, slots=True)
class StoredTensor:
    """A tensor in a file.

    Attributes:
        name: that it is published under.
        file: which it lies in.
        shape: its dimensions.
    """

    name: str
    file: Path
    shape: tuple[int, ...]


def stored_tensors(folder: Path) -> list[StoredTensor]:
    """All tensors of a checkpoint, from the headers of its files.

    Raises:
        UsageError: there are no safetensors.
        WeightsCorrupt: a file is missing, damaged or cut short, or not what the index says.
    """
    index = folder / INDEX
    expected = _expected(index) if index.is_file() else None
    files = sorted(set(expected.values())) if expected is not None else _files(folder)
    found: dict[str, StoredTensor] = {}
    for name in files:
        path = folder / name
        if not path.is_file():
            raise WeightsCorrupt(
                f"half a checkpoint: {folder} lacks {name}, which {INDEX} names; "
                "pull the model again"
            )
        for tensor in _header(path):
            if tensor.name in found:
                raise WeightsCorrupt(
                    f"tensor {tensor.name} is in {found[tensor.name].file.name} and in {name}; "
                    "pull the model again"
                )
            found[tensor.name] = tensor
    for tensor_name, file in (expected or {}).items():
        if tensor_name not in found or found[tensor_name].file.name != file:
            raise WeightsCorrupt(
                f"half a checkpoint: tensor {tensor_name} is not in {file}; pull the model again"
            )
    return list(found.values())


def read_tensors(tensors: Iterable[StoredTensor]) -> Iterator[tuple[StoredTensor, Tensor]]:
    """The tensors, one after the other, as they lie in the memory-mapped files.

    Raises:
        WeightsCorrupt: a file is damaged.
    """
    by_file: dict[Path, list[StoredTensor]] = {}
    for tensor in tensors:
        by_file.setdefault(tensor.file, []).append(tensor)
    for path, inside in by_file.items():
        try:
            with safe_open(path, framework="pt") as file:
                for tensor in inside:
                    yield tensor, file.get_tensor(tensor.name)
        except (SafetensorError, OSError) as error:
            raise _damaged(path) from error


def _files(folder: Path) -> list[str]:
    files = sorted(path.name for path in folder.glob("*.safetensors"))
    if "model.safetensors" in files:
        return ["model.safetensors"]
    if files:
        return files
    pickles = sorted(path.name for path in folder.iterdir() if path.suffix in _PICKLES)
    if pickles:
        raise UsageError(
            f"{folder} has its weights only in a pickle ({pickles[0]}), which can run code when "
            "it is opened: only safetensors are read"
        )
    raise UsageError(f"{folder} has no weights: not a single .safetensors file")


def _expected(index: Path) -> dict[str, str]:
    """The file of each tensor, as the index says."""
    content = read_json(index)
    files = content.get("weight_map") if isinstance(content, dict) else None
    if not isinstance(files, dict) or not files or not all(map(_is_plain, files.values())):
        raise WeightsCorrupt(f"{index} is damaged; pull the model again")
    return files


def _is_plain(name: object) -> bool:
    """Whether it is the name of a safetensors file in the same folder, and no path."""
    return (
        isinstance(name, str)
        and name.endswith(".safetensors")
        and not any(separator in name for separator in "/\\\0")
    )


def _header(path: Path) -> Iterator[StoredTensor]:
    try:
        with safe_open(path, framework="pt") as file:
            for name in file.keys():  # noqa: SIM118 - it is no dict
                part = file.get_slice(name)
                if part.get_dtype() not in _FLOATS:
                    raise UsageError(
                        f"tensor {name} in {path.name} is of type {part.get_dtype()}: quantised "
                        "checkpoints are not supported, take the original and weights=int8 or int4"
                    )
                yield StoredTensor(name, path, tuple(part.get_shape()))
    except (SafetensorError, OSError) as error:
        raise _damaged(path) from error


def _damaged(path: Path) -> WeightsCorrupt:
    return WeightsCorrupt(f"{path} is damaged or cut short; pull the model again")
