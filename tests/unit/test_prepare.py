"""Reading and dequantising a GGUF file, and what is written of it once."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from gguf import GGMLQuantizationType, GGUFReader, GGUFWriter, dequantize, quantize
from safetensors.torch import load_file

from midfill.inference.downloads.model_folder import State
from midfill.inference.errors import WeightsCorrupt
from midfill.inference.models.embedded.architecture import Architecture
from midfill.inference.models.embedded.files import Form, embedded_folder, ensure_files
from midfill.inference.models.embedded.gguf_file import read_gguf
from midfill.inference.models.embedded.gguf_layout import dequantised_tensors, fused_layout
from midfill.inference.models.embedded.int8_weights import rounded, stored_tensors
from midfill.inference.models.embedded.prepare import write_bfloat16_weights
from midfill.inference.models.embedded.weights import read_tensors
from midfill.inference.models.embedded.weights_file import write_weights
from midfill.kernels.int8_matrix import Int8Matrix

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from torch import Tensor

    from midfill.inference.models.embedded.files import EmbeddedFiles

SMALL = Architecture(
    layers=2, width=64, query_heads=4, key_heads=2, head_size=16, feed_forward=96, vocabulary=4112
)


def write_gguf(path: Path, *, leave_out: str = "") -> None:
    """Write a file of the small architecture, matrices in two quantisations, vectors in float32."""
    writer = GGUFWriter(path, "qwen2")
    writer.add_string("general.name", "small")
    writer.add_float32("some.float", 0.5)
    writer.add_bool("some.flag", True)
    writer.add_array("some.numbers", [1, -2, 3])
    writer.add_array("some.words", ["eins", "zwei", "日本"])
    rng = np.random.default_rng(7)
    for fused in fused_layout(SMALL):
        rows = fused.shape[0] // len(fused.stacks)
        sizes = [rows] * len(fused.stacks)
        if ".qkv." in fused.name:
            sizes = [SMALL.query_width, SMALL.key_width, SMALL.key_width]
        for name, size in zip(fused.stacks, sizes, strict=True):
            values = rng.standard_normal((size, *fused.shape[1:])).astype(np.float32)
            if name == leave_out:
                continue
            if values.ndim == 1:
                writer.add_tensor(name, values)
            else:
                kind = GGMLQuantizationType.Q8_0 if "v" in name else GGMLQuantizationType.Q5_0
                writer.add_tensor(name, quantize(values, kind), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


BFLOAT16_LAYOUT = [
    (fused.name, torch.bfloat16 if fused.is_matrix else torch.float32, fused.shape)
    for fused in fused_layout(SMALL)
]


@pytest.fixture
def gguf(tmp_path: Path) -> Path:
    path = tmp_path / "small.gguf"
    write_gguf(path)
    return path


def test_the_head_of_a_file_reads_as_the_reference_reader_reads_it(gguf: Path) -> None:
    reference = GGUFReader(gguf)

    head = read_gguf(gguf)

    for name, field in reference.fields.items():
        if not name.startswith("GGUF."):
            assert head.metadata[name] == field.contents(), name
    assert {
        name: (info.shape, info.quantisation, info.offset) for name, info in head.tensors.items()
    } == {
        tensor.name: (
            tuple(reversed(tensor.shape.tolist())),
            tensor.tensor_type,
            tensor.data_offset,
        )
        for tensor in reference.tensors
    }


def test_each_fused_tensor_stacks_what_the_reference_dequantises(gguf: Path) -> None:
    reference = {tensor.name: tensor for tensor in GGUFReader(gguf).tensors}

    found = dict(dequantised_tensors(gguf, torch.float32, SMALL))

    assert list(found) == [fused.name for fused in fused_layout(SMALL)]
    for fused in fused_layout(SMALL):
        rows = [
            dequantize(reference[name].data, reference[name].tensor_type) for name in fused.stacks
        ]
        expected = torch.from_numpy(np.concatenate(rows))
        assert torch.equal(found[fused.name], expected), fused.name


def test_only_matrices_take_the_dtype_asked_for(gguf: Path) -> None:
    exact = dict(dequantised_tensors(gguf, torch.float32, SMALL))

    for name, tensor in dequantised_tensors(gguf, torch.bfloat16, SMALL):
        assert tensor.dtype == (torch.bfloat16 if tensor.ndim == 2 else torch.float32), name
        assert torch.equal(tensor, exact[name].to(tensor.dtype)), name


@pytest.mark.parametrize("cut", [0, 3, 20, 200, 3000, -100])
def test_a_truncated_file_is_corrupt(gguf: Path, cut: int) -> None:
    gguf.write_bytes(gguf.read_bytes()[:cut])

    with pytest.raises(WeightsCorrupt, match="midfill model pull embedded"):
        list(dequantised_tensors(gguf, torch.float32, SMALL))


def test_another_kind_of_file_is_corrupt(tmp_path: Path) -> None:
    path = tmp_path / "picture.gguf"
    path.write_bytes(b"\x89PNG" + bytes(1000))

    with pytest.raises(WeightsCorrupt, match="not an intact GGUF file"):
        read_gguf(path)


def test_a_file_without_one_of_the_tensors_is_corrupt(tmp_path: Path) -> None:
    write_gguf(tmp_path / "small.gguf", leave_out="blk.1.attn_k.weight")

    with pytest.raises(WeightsCorrupt, match=r"no tensor blk\.1\.attn_k\.weight"):
        list(dequantised_tensors(tmp_path / "small.gguf", torch.float32, SMALL))


def test_a_file_of_another_shape_is_corrupt(gguf: Path) -> None:
    with pytest.raises(WeightsCorrupt, match="not the embedded model's file"):
        list(dequantised_tensors(gguf, torch.float32, Architecture(layers=2, vocabulary=4096)))


def test_written_weights_load_as_they_were(gguf: Path, tmp_path: Path) -> None:
    tensors = list(dequantised_tensors(gguf, torch.bfloat16, SMALL))
    target = tmp_path / "weights.safetensors"

    with target.open("wb") as file:
        write_weights(file, BFLOAT16_LAYOUT, tensors)

    loaded = load_file(target)
    assert loaded.keys() == dict(tensors).keys()
    for name, tensor in tensors:
        assert loaded[name].dtype == tensor.dtype
        assert torch.equal(loaded[name], tensor), name


def test_rounded_weights_load_as_they_were_rounded(gguf: Path, tmp_path: Path) -> None:
    exact = dict(dequantised_tensors(gguf, torch.float32, SMALL))
    target = tmp_path / "weights.safetensors"

    with target.open("wb") as file:
        parts = (part for item in exact.items() for part in rounded(*item))
        write_weights(file, list(stored_tensors(fused_layout(SMALL))), parts)

    loaded = load_file(target)
    assert torch.equal(loaded["embedding"], exact["embedding"].bfloat16())
    assert torch.equal(loaded["final_norm"], exact["final_norm"])
    for name in ("head", "layers.1.qkv.weight", "layers.0.down.weight"):
        matrix = Int8Matrix(*(loaded[f"{name}.{part}"] for part in ("panels", "scales", "sums")))
        off = (matrix.dequantised() - exact[name]).abs()
        assert (off <= matrix.scales[:, None] * 0.501).all(), name
        assert torch.equal(matrix.sums, matrix.rounded().sum(1, dtype=torch.int32)), name


def test_weights_that_are_not_in_the_layout_are_not_written(gguf: Path, tmp_path: Path) -> None:
    def renamed() -> Iterator[tuple[str, Tensor]]:
        for name, tensor in dequantised_tensors(gguf, torch.bfloat16, SMALL):
            yield name.replace("head", "tail"), tensor

    with (
        (tmp_path / "weights.safetensors").open("wb") as file,
        pytest.raises(WeightsCorrupt, match="tensor tail is not the head"),
    ):
        write_weights(file, BFLOAT16_LAYOUT, renamed())


def test_a_file_of_another_model_is_not_prepared(gguf: Path, tmp_path: Path) -> None:
    with pytest.raises(WeightsCorrupt):
        write_bfloat16_weights(gguf, tmp_path / "weights.safetensors", lambda progress: None)


@pytest.mark.parametrize("form", [Form.INT8, Form.BFLOAT16])
def test_the_prepared_weights_are_the_published_ones(
    embedded_files: EmbeddedFiles, form: Form
) -> None:
    folder = embedded_folder(form)
    if folder.state() is not State.READY:
        pytest.skip(f"they are not prepared in {form} on this machine")
    head = read_gguf(embedded_files.gguf)
    data = np.memmap(embedded_files.gguf, np.uint8, "r")
    weights = read_tensors(ensure_files(form=form).weights)

    for fused in fused_layout(Architecture()):
        if not fused.name.startswith(("layers.0.", "layers.23.", "final_norm")):
            continue
        rows = []
        for name in fused.stacks:
            info = head.tensors[name]
            kind = GGMLQuantizationType(info.quantisation)
            size = _bytes(math.prod(info.shape), kind)
            blocks = np.array(data[info.offset : info.offset + size])
            rows.append(dequantize(blocks[None], kind).reshape(info.shape))
        expected = torch.from_numpy(np.concatenate(rows))
        if fused.name in weights:
            found = weights[fused.name]
            assert torch.equal(found, expected.to(found.dtype)), fused.name
        else:
            parts = (weights[f"{fused.name}.{part}"] for part in ("panels", "scales", "sums"))
            matrix = Int8Matrix(*parts)
            off = (matrix.dequantised() - expected).abs()
            assert (off <= matrix.scales[:, None] * 0.501).all(), fused.name


def _bytes(elements: int, kind: GGMLQuantizationType) -> int:
    from gguf import GGML_QUANT_SIZES

    block_elements, block_bytes = GGML_QUANT_SIZES[kind]
    return elements // block_elements * block_bytes
