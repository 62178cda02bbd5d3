"""Reading a GGUF file: its metadata, and where each tensor's blocks lie.

The `gguf` package's own reader makes several numpy arrays for each of the 300,000 strings of a
vocabulary, which takes seconds; this one takes a fraction of one. Dequantising stays with `gguf`.

Source: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
"""

from __future__ import annotations

import mmap
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from midfill.inference.errors import WeightsCorrupt

if TYPE_CHECKING:
    from pathlib import Path

Scalar: TypeAlias = int | float | bool | str
Value: TypeAlias = Scalar | list[Scalar]

_MAGIC = b"GGUF"
_VERSION = 3
_STRING, _ARRAY = 8, 9
_SCALARS = {
    0: "B",
    1: "b",
    2: "H",
    3: "h",
    4: "I",
    5: "i",
    6: "f",
    7: "?",
    10: "Q",
    11: "q",
    12: "d",
}
_DEFAULT_ALIGNMENT = 32


@dataclass(frozen=True, slots=True)
class TensorInfo:
    """One tensor of the file, still quantised."""

    shape: tuple[int, ...]
    """Row-major: (out, in) for a matrix; the file itself lists them the other way round."""
    quantisation: int
    """A `gguf.GGMLQuantizationType`."""
    offset: int
    """Bytes from the start of the file."""


@dataclass(frozen=True, slots=True)
class GgufFile:
    """What the head of a GGUF file says."""

    path: Path
    metadata: dict[str, Value]
    tensors: dict[str, TensorInfo]

    def strings(self, key: str) -> list[str]:
        """The array of strings called ``key``.

        Raises:
            WeightsCorrupt: the file has no such array.
        """
        value = self.metadata.get(key)
        if not isinstance(value, list):
            raise WeightsCorrupt(f"{self.path} has no {key}; it is not a model that Midfill knows")
        return [str(item) for item in value]


def read_gguf(path: Path) -> GgufFile:
    """Read the metadata and the tensor directory of a little-endian GGUF file.

    Raises:
        WeightsCorrupt: it is not such a file, or is cut off before the end of its head.
        OSError: it cannot be read.
    """
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return _Cursor(data).read_file(path)
    except (struct.error, ValueError, KeyError) as error:
        raise WeightsCorrupt(
            f"{path} is not an intact GGUF file; `midfill model pull embedded` fetches it anew"
        ) from error


class _Cursor:
    def __init__(self, data: mmap.mmap) -> None:
        self._data = data
        self._at = 0

    def read_file(self, path: Path) -> GgufFile:
        if self._data[:4] != _MAGIC:
            raise ValueError("no GGUF magic")
        self._at = 4
        if (version := self._number("I")) != _VERSION:
            raise ValueError(f"GGUF version {version}")
        tensor_count, value_count = self._number("Q"), self._number("Q")
        metadata = {}
        for _ in range(value_count):
            key = self._string()
            metadata[key] = self._value(self._number("I"))
        directory = [self._tensor() for _ in range(tensor_count)]
        alignment = int(str(metadata.get("general.alignment", _DEFAULT_ALIGNMENT)))
        start = -(-self._at // alignment) * alignment
        tensors = {
            name: TensorInfo(shape, quantisation, start + offset)
            for name, shape, quantisation, offset in directory
        }
        return GgufFile(path, metadata, tensors)

    def _tensor(self) -> tuple[str, tuple[int, ...], int, int]:
        name = self._string()
        dimensions = [self._number("Q") for _ in range(self._number("I"))]
        return name, tuple(reversed(dimensions)), self._number("I"), self._number("Q")

    def _value(self, kind: int) -> Value:
        if kind == _STRING:
            return self._string()
        if kind == _ARRAY:
            item_kind, length = self._number("I"), self._number("Q")
            if item_kind == _STRING:
                return [self._string() for _ in range(length)]
            return list(self._numbers(_SCALARS[item_kind], length))
        scalar: Scalar = self._numbers(_SCALARS[kind], 1)[0]
        return scalar

    def _string(self) -> str:
        length = self._number("Q")
        end = self._at + length
        if end > len(self._data):
            raise ValueError("a string runs past the end of the file")
        text = str(self._data[self._at : end], "utf-8")
        self._at = end
        return text

    def _number(self, code: str) -> int:
        return int(self._numbers(code, 1)[0])

    def _numbers(self, code: str, count: int) -> tuple[Scalar, ...]:
        layout = f"<{count}{code}"
        values = struct.unpack_from(layout, self._data, self._at)
        self._at += struct.calcsize(layout)
        return values
