"""Whatever a machine has to compute with, the text is the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch

from midfill.inference.choosing import choose_greedily
from midfill.inference.denoising import denoise
from midfill.inference.healing import Healing, Vocabulary
from midfill.inference.models.embedded.adapter import FORMAT, AdapterFile
from midfill.inference.models.embedded.architecture import Architecture
from midfill.inference.models.embedded.files import Form, form_on_cpu
from midfill.inference.models.embedded.gguf_layout import fused_layout
from midfill.inference.models.embedded.int8_network import Int8Network
from midfill.inference.models.embedded.int8_weights import assemble_int8, rounded
from midfill.inference.models.embedded.model import EmbeddedModel
from midfill.inference.training.recipe import Shape
from midfill.inference.training.student import initial_parameters
from midfill.kernels.native import library as native_module
from midfill.kernels.native.library import INSTRUCTION_SETS, NativeLibrary, native_library

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

SMALL = Architecture(
    layers=3,
    width=64,
    query_heads=4,
    key_heads=2,
    head_size=16,
    feed_forward=96,
    vocabulary=4112,
    positions=512,
)
SHAPE = Shape(entry_layer=1, rank=4, masks=3, sampler_width=48, guessable=512)
PROMPTS = tuple(tuple((7 * n + 31 * p) % 4000 for n in range(20 + p)) for p in range(12))


@pytest.fixture(scope="module")
def tensors() -> dict[str, torch.Tensor]:
    drawing = torch.Generator().manual_seed(5)
    exact = {
        tensor.name: torch.randn(tensor.shape, generator=drawing) / tensor.shape[-1] ** 0.5
        for tensor in fused_layout(SMALL)
    }
    exact["embedding"] *= SMALL.width**0.5
    return dict(part for name, tensor in exact.items() for part in rounded(name, tensor))


@pytest.fixture(scope="module")
def adapter() -> AdapterFile:
    drawing = torch.Generator().manual_seed(3)
    parameters = {
        name: 0.3 * torch.randn(tensor.shape, generator=drawing)
        for name, tensor in initial_parameters(SHAPE, SMALL, 0).items()
    }
    return AdapterFile(
        {**parameters, "guess_tokens": torch.arange(SHAPE.guessable).int()},
        {"format": FORMAT, "entry_layer": str(SHAPE.entry_layer)},
    )


@pytest.fixture
def native() -> Iterator[NativeLibrary]:
    found = native_library()
    if found is None:
        pytest.skip("there was no C++ compiler")
    before = found.instruction_set
    yield found
    found.use_instruction_set(before)
    found.use_threads(torch.get_num_threads())


def written(
    tensors: dict[str, torch.Tensor], adapter: AdapterFile, native: NativeLibrary | None
) -> list[list[int]]:
    """What is written greedily behind each prompt."""

    def rows(tokens: Sequence[int]) -> torch.Tensor:
        return tensors["embedding"][torch.tensor(tokens)]

    weights, assembled = assemble_int8(tensors, rows, adapter, SMALL, native)
    model = EmbeddedModel(Int8Network(weights, native), assembled, SMALL)
    found = []
    for prompt in PROMPTS:
        tokens: list[int] = []
        for step in denoise(
            model,
            model.new_cache(64),
            prompt,
            choose=choose_greedily,
            healing=Healing(Vocabulary([])),
            masks=3,
        ):
            tokens += step.tokens
            if len(tokens) >= 16:
                break
        found.append(tokens[:16])
    return found


def test_every_instruction_set_and_any_number_of_threads_write_the_same(
    tensors: dict[str, torch.Tensor], adapter: AdapterFile, native: NativeLibrary
) -> None:
    texts = []
    for name in INSTRUCTION_SETS:
        if native.use_instruction_set(name):
            for threads in (1, 3):
                native.use_threads(threads)
                texts.append(written(tensors, adapter, native))
    assert len(texts) >= 2
    assert all(text == texts[0] for text in texts)
    assert len({token for tokens in texts[0] for token in tokens}) > 10  # it does say something


@pytest.mark.usefixtures("one_thread")
def test_plain_torch_writes_what_the_native_operations_write(
    tensors: dict[str, torch.Tensor], adapter: AdapterFile, native: NativeLibrary
) -> None:
    assert written(tensors, adapter, None) == written(tensors, adapter, native)


@pytest.fixture
def found_anew(native: NativeLibrary) -> Iterator[None]:
    """The library is looked for again, and afterwards as it was."""
    native_library.cache_clear()
    yield
    native_library.cache_clear()
    if (found := native_library()) is not None:
        found.use_threads(torch.get_num_threads())


@pytest.mark.usefixtures("found_anew")
def test_without_a_compiler_plain_torch_computes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(native_module, "built_library", lambda: None)
    assert native_library() is None
    assert form_on_cpu() is Form.BFLOAT16


@pytest.mark.usefixtures("found_anew")
@pytest.mark.parametrize("content", [b"", b"\x7fELF no library"])
def test_a_library_of_another_machine_is_passed_over(
    content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (path := tmp_path / "_native.so").write_bytes(content)
    monkeypatch.setattr(native_module, "built_library", lambda: path)
    assert native_library() is None
    assert form_on_cpu() is Form.BFLOAT16


@pytest.mark.usefixtures("found_anew")
def test_without_avx_the_portable_operations_compute(
    native: NativeLibrary, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(NativeLibrary, "use_instruction_set", only_portable)
    assert (found := native_library()) is not None
    assert found.instruction_set == "portable"
    assert form_on_cpu() is Form.INT8


def only_portable(library: NativeLibrary, name: str) -> bool:
    """As on a processor that has nothing special."""
    return name == "portable" and bool(library._library.midfill_use_instruction_set(name.encode()))
