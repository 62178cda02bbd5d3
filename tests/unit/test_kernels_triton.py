"""The Triton versions against their references, in Triton's interpreter; and that they compile."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING

import kernel_comparisons as comparisons
import pytest
import torch
from hypothesis import example, given, settings
from triton_worker import Worker, worker

from midfill.kernels.adapted_linear import LowRank
from midfill.kernels.canvas_attention import attention_bias
from midfill.kernels.gated_linear import gated_linear_in_torch
from midfill.kernels.norm_linear import norm_linear_in_torch
from midfill.kernels.rotary_shift import rotary_frequencies, shift_angles

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [
    pytest.mark.usefixtures("one_thread"),
    pytest.mark.skipif(importlib.util.find_spec("triton") is None, reason="needs triton"),
]

FULL, HALF = torch.float32, torch.float16

SHARED_MEMORY = 99 * 1024
"""What a program has on every card from compute capability 8.0 on; bytes."""


@pytest.fixture(scope="module")
def interpreter() -> Iterator[Worker]:
    with worker({"TRITON_INTERPRET": "1"}) as process:
        yield process


@pytest.fixture(scope="module")
def compiler(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worker]:
    cache: Path = tmp_path_factory.mktemp("triton")
    environment = {
        "TRITON_INTERPRET": "0",
        "TRITON_CACHE_DIR": str(cache),
        "TRITON_DEFAULT_FP_FUSION": "1",
    }
    with worker(environment) as process:
        yield process


@settings(max_examples=12)
@given(case=comparisons.slots)
@example(comparisons.Slots(1, 1, torch.float32, "none allowed", 1.0, None, 64, 0))
def test_unmask_agrees_with_its_reference(interpreter: Worker, case: comparisons.Slots) -> None:
    comparisons.compare_unmask(interpreter, case)


@pytest.mark.parametrize("pattern", comparisons.PATTERNS)
def test_unmask_agrees_whatever_the_logits(interpreter: Worker, pattern: str) -> None:
    case = comparisons.Slots(3, 193, torch.float32, pattern, 0.7, 3, 64, 7)
    comparisons.compare_unmask(interpreter, case)


@settings(max_examples=10)
@given(case=comparisons.canvases)
@example(comparisons.Canvas(1, 0, 0, (1, 1), 8, torch.float32, "nothing", None, False, None, 0))
@example(comparisons.Canvas(4, 40, 9, (4, 2), 24, torch.bfloat16, "some", None, False, 2, 0))
@example(comparisons.Canvas(5, 0, 0, (2, 1), 64, torch.float32, "nothing", None, True, None, 0))
@example(comparisons.Canvas(3, 60, 20, (4, 2), 8, torch.float32, "everything", 50, False, 3, 0))
@example(comparisons.Canvas(16, 130, 0, (14, 2), 64, torch.float32, "some", None, False, 3, 0))
@example(comparisons.Canvas(3, 0, 200, (2, 2), 24, torch.float32, "itself", None, False, 4, 0))
def test_canvas_attention_agrees_with_its_reference(
    interpreter: Worker, case: comparisons.Canvas
) -> None:
    comparisons.compare_attention(interpreter, case)


@settings(max_examples=8)
@given(case=comparisons.layers)
@example(comparisons.Layer(1, 0, 1, 1, 1, True, False, torch.float32, 0))
@example(comparisons.Layer(9, 4, 70, 40, 5, True, False, torch.bfloat16, 0))
@example(comparisons.Layer(33, 16, 130, 70, 33, True, True, torch.float32, 0))
def test_adapted_linear_agrees_with_its_reference_and_known_rows_with_the_base(
    interpreter: Worker, case: comparisons.Layer
) -> None:
    comparisons.compare_linear(interpreter, case)


@settings(max_examples=6)
@given(case=comparisons.normed_layers)
@example(comparisons.NormedLayer(comparisons.Layer(1, 0, 1, 1, 1, True, False, HALF, 0), 1.0))
@example(comparisons.NormedLayer(comparisons.Layer(33, 9, 130, 70, 5, True, True, FULL, 0), 1e3))
def test_norm_linear_agrees_with_its_reference_and_known_rows_with_the_base(
    interpreter: Worker, case: comparisons.NormedLayer
) -> None:
    comparisons.compare_norm_linear(interpreter, case)


@settings(max_examples=6)
@given(case=comparisons.normed_layers)
@example(comparisons.NormedLayer(comparisons.Layer(1, 0, 1, 1, 1, True, False, HALF, 0), 1.0))
@example(comparisons.NormedLayer(comparisons.Layer(33, 9, 130, 70, 5, True, True, FULL, 0), 1e3))
def test_gated_linear_agrees_with_its_reference_and_known_rows_with_the_base(
    interpreter: Worker, case: comparisons.NormedLayer
) -> None:
    comparisons.compare_gated_linear(interpreter, case)


@settings(max_examples=12)
@given(case=comparisons.moves)
def test_rotary_shift_agrees_with_its_reference(
    interpreter: Worker, case: comparisons.Move
) -> None:
    comparisons.compare_shift(interpreter, case)


def test_known_rows_feel_nothing_of_an_adapter_that_is_not_a_number(interpreter: Worker) -> None:
    x, weight = torch.randn(5, 32), torch.randn(16, 32)
    adapter = LowRank(torch.randn(32, 4), torch.full((4, 16), torch.nan))
    found = interpreter("adapted_linear", x, weight, None, adapter, 3)
    assert found[:3].isfinite().all()
    assert found[3:].isnan().all()


def test_operations_reach_triton_through_the_dispatch(interpreter: Worker) -> None:
    torch.manual_seed(0)
    found, calls = interpreter.routed("unmask", torch.tensor([[1.0, 3.0, 2.0]]))
    assert (found.tokens.tolist(), calls) == ([1], 1)

    queries, keys, values = torch.randn(3, 4, 8), torch.randn(2, 23, 8), torch.randn(2, 23, 8)
    visible = torch.ones(3, 3, dtype=torch.bool).tril()
    bias = attention_bias(visible, 20, 2, torch.float32)
    found, calls = interpreter.routed("canvas_attention", queries, keys, values, bias)
    wanted = comparisons.canvas_attention_in_torch(queries, keys, values, bias)
    torch.testing.assert_close(found, wanted)
    assert calls == 1

    x, weight, bias = torch.randn(3, 8), torch.randn(6, 8), torch.randn(6)
    adapter = LowRank(torch.randn(8, 2), torch.randn(2, 6))
    found, calls = interpreter.routed("adapted_linear", x, weight, bias, adapter, 1)
    wanted = comparisons.adapted_linear_in_torch(x, weight, bias, adapter, 1)
    torch.testing.assert_close(found, wanted)
    assert calls == 1

    norm, gate_up = torch.randn(8), torch.randn(12, 8)
    behind_a_norm = (x, norm, 1e-6)
    found, calls = interpreter.routed("norm_linear", *behind_a_norm, weight, bias, adapter, 1)
    wanted = norm_linear_in_torch(*behind_a_norm, weight, bias, adapter, 1)
    torch.testing.assert_close(found, wanted)
    assert calls == 1

    found, calls = interpreter.routed("gated_linear", *behind_a_norm, gate_up, None, 1)
    torch.testing.assert_close(found, gated_linear_in_torch(*behind_a_norm, gate_up, None, 1))
    assert calls == 1

    angles = shift_angles(5, rotary_frequencies(8, 1e4), keys.device)
    found, calls = interpreter.routed("rotary_shift", keys, angles)
    torch.testing.assert_close(found, comparisons.rotary_shift_in_torch(keys, angles))
    assert calls == 1


def test_what_triton_has_no_version_for_stays_with_torch(interpreter: Worker) -> None:
    found, calls = interpreter.routed("unmask", torch.randn(2, 9, dtype=torch.float64))
    assert (found.entropies.dtype, calls) == (torch.float32, 0)
    wide = torch.randn(1, 3, 1024)
    angles = shift_angles(5, rotary_frequencies(1024, 1e4), wide.device)
    assert interpreter.routed("rotary_shift", wide, angles)[1] == 0
    many, weight = torch.randn(200, 8), torch.randn(6, 8)
    assert interpreter.routed("adapted_linear", many, weight, None, None, 200)[1] == 0


def test_kernels_compile_for_a_card_and_fit_its_shared_memory(compiler: Worker) -> None:
    kind = torch.bfloat16
    queries = torch.zeros(16, 14, 64, dtype=kind)
    keys = torch.zeros(2, 600, 64, dtype=kind)
    sees = torch.ones(16, 16, dtype=torch.bool)
    linear = comparisons.Layer(16, 4, 896, 1152, 96, True, False, kind, 0)
    x, weight, bias, adapter, _ = linear.arguments
    norm, gate_up, used = torch.ones(896), torch.zeros(9728, 896, dtype=kind), torch.tensor([500])
    both = LowRank(torch.zeros(896, 64, dtype=kind), torch.zeros(64, 9728, dtype=kind))
    angles = shift_angles(5, rotary_frequencies(64, 1e4), keys.device)

    kernels = [
        *compiler.compiled("unmask", torch.zeros(16, 151_936, dtype=kind), 1.0, 4),
        *compiler.compiled("canvas_attention", queries, keys, keys, sees, 500, 2),
        *compiler.compiled("canvas_attention", queries, keys, keys, None, 0, 1, used),
        *compiler.compiled("adapted_linear", *linear.arguments),
        *compiler.compiled("norm_linear", x, norm, 1e-6, weight, bias, adapter, 4),
        *compiler.compiled("gated_linear", x, norm, 1e-6, gate_up, both, 4),
        *compiler.compiled("rotary_shift", keys, angles, keys),
    ]

    names = [kernel.name for kernel in kernels]
    attends = ["_attend", "_combine", "_attend"]
    products = ["_product", "_product", "_gated"]
    assert names == ["_scan", "_gather", *attends, *products, "_turn"]
    assert all(kernel.code for kernel in kernels)
    assert max(kernel.shared for kernel in kernels) <= SHARED_MEMORY
