"""The embedded model in int8 beside the same model in float32."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING

import pytest
import torch

from midfill.inference.canvas import Canvas, CanvasLayout, first_canvas, verifying_canvas
from midfill.inference.errors import WeightsCorrupt
from midfill.inference.fillers.embedded import EmbeddedFiller
from midfill.inference.fillers.filler import Run
from midfill.inference.models.embedded.adapter import read_adapter
from midfill.inference.models.embedded.architecture import Architecture
from midfill.inference.models.embedded.embedding_rows import EmbeddingRows
from midfill.inference.models.embedded.files import EmbeddedFiles, Form, ensure_files
from midfill.inference.models.embedded.int8_network import Int8Network
from midfill.inference.models.embedded.int8_weights import assemble_int8
from midfill.inference.models.embedded.model import EmbeddedModel
from midfill.inference.models.embedded.weights import read_tensors
from midfill.inference.models.loading import load_embedded
from midfill.inference.progress import nobody_listens
from midfill.inference.stopwatch import Stopwatch
from midfill.inference.wire import Final, InfillRequest, Limits
from midfill.kernels.native.library import native_library

if TYPE_CHECKING:
    from midfill.inference.engine import Engine
    from midfill.inference.tokenizer import Tokenizer
    from midfill.kernels.native.library import NativeLibrary

TEXT = '''\
import math


def mean(values):
    """Return the arithmetic mean."""
    return sum(values) / len(values)


def distance(a, b):
    dx = a[0] - b[0]
    dy = a[1] - b[1]
    return math.sqrt(dx * dx + dy * dy)
'''


@pytest.fixture(scope="module")
def files(embedded_files: EmbeddedFiles) -> EmbeddedFiles:
    return ensure_files(form=Form.INT8)


def int8_model(files: EmbeddedFiles, native: NativeLibrary | None) -> EmbeddedModel:
    weights, adapter = assemble_int8(
        read_tensors(files.weights),
        EmbeddingRows(files.weights),
        read_adapter(files.adapter),
        Architecture(),
        native,
    )
    return EmbeddedModel(Int8Network(weights, native), adapter)


@pytest.fixture(scope="module")
def model(files: EmbeddedFiles) -> EmbeddedModel:
    return int8_model(files, native_library())


def test_the_best_token_is_nearly_always_that_of_the_exact_model(
    model: EmbeddedModel, exact_model: EmbeddedModel, tokenizer: Tokenizer
) -> None:
    tokens = tokenizer.encode(TEXT)
    canvas = Canvas(tuple(tokens), CanvasLayout(len(tokens), (0,), 0))
    found = model.denoise(canvas, model.new_cache(256)).logits.log_softmax(-1)
    exact = exact_model.denoise(canvas, exact_model.new_cache(256)).logits.log_softmax(-1)

    assert (found.argmax(-1) == exact.argmax(-1)).float().mean() > 0.95
    assert (exact.exp() * (exact - found)).sum(-1).mean() < 0.02


def test_a_known_slot_computes_the_same_whatever_stands_behind_it(
    model: EmbeddedModel, tokenizer: Tokenizer
) -> None:
    tokens = tokenizer.encode(TEXT)
    cache = model.new_cache(256)
    model.encode(tokens[:40], cache)
    alone = model.denoise(first_canvas(tokens[40:41], 0), cache)
    with_masks = model.denoise(first_canvas(tokens[40:41], 3), cache)
    with_guesses = model.denoise(verifying_canvas(tokens[40], [1, 2, 3], 3), cache)

    assert torch.equal(alone.logits, with_masks.logits)
    assert torch.equal(alone.logits, with_guesses.logits[:1])


def test_it_does_not_matter_where_the_context_was_cut(
    model: EmbeddedModel, tokenizer: Tokenizer
) -> None:
    tokens = tokenizer.encode(TEXT)
    last = []
    for cut in (1, 17, 63):
        cache = model.new_cache(256)
        model.encode(tokens[:cut], cache)
        last.append(model.denoise(first_canvas(tokens[cut:64], 3), cache))

    for other in last[1:]:
        assert torch.equal(other.logits, last[0].logits)
        assert torch.equal(other.mask_states, last[0].mask_states)


def test_plain_torch_computes_the_same_without_a_native_library(
    model: EmbeddedModel, files: EmbeddedFiles, tokenizer: Tokenizer
) -> None:
    if native_library() is None:
        pytest.skip("there is nothing to compare with")
    plain, tokens = int8_model(files, None), tokenizer.encode(TEXT)[:12]
    canvas = first_canvas(tokens, 3)
    found = model.denoise(canvas, model.new_cache(64))
    expected = plain.denoise(canvas, plain.new_cache(64))
    certain = int(expected.logits[0].argmax())

    assert int(found.logits[0].argmax()) == certain
    # A sum that is rounded the other way may move an int8 by one, and all behind it a little.
    exact, near = expected.logits.log_softmax(-1), found.logits.log_softmax(-1)
    assert (exact.exp() * (exact - near)).sum() < 0.01
    assert plain.guess(canvas, expected, 11, certain) == model.guess(canvas, found, 11, certain)


def test_a_tensor_that_is_missing_or_of_another_shape_is_named(files: EmbeddedFiles) -> None:
    tensors = read_tensors(files.weights)
    rows, adapter = EmbeddingRows(files.weights), read_adapter(files.adapter)

    def assemble(tensors: dict[str, torch.Tensor]) -> None:
        assemble_int8(tensors, rows, adapter, Architecture(), None)

    without = {name: tensor for name, tensor in tensors.items() if name != "head.scales"}
    with pytest.raises(WeightsCorrupt, match=r"head\.scales is missing"):
        assemble(without)
    short = tensors | {"layers.3.o.weight.panels": tensors["layers.4.qkv.weight.panels"]}
    with pytest.raises(WeightsCorrupt, match=r"layers\.3\.o\.weight\.panels is torch\.int8"):
        assemble(short)


def test_without_native_operations_a_fill_says_the_same(engine: Engine) -> None:
    prefix, suffix = TEXT.split("sum(values) / len(values)")
    request = InfillRequest(prefix=prefix, suffix=suffix, limits=Limits(deadline_ms=600_000))
    *_, usual = engine.infill(request)
    loaded = load_embedded(torch.device("cpu"), nobody_listens, Form.BFLOAT16)
    run = Run(monotonic() + 600, Stopwatch(monotonic()), lambda: False)
    *_, plain = EmbeddedFiller(loaded, "embedded").fill(request, run)

    assert isinstance(usual, Final)
    assert isinstance(plain, Final)
    assert plain.text == usual.text == "sum(values) / len(values)"
