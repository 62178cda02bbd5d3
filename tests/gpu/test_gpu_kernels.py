"""The Triton versions against their references, compiled and run on the card."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

import kernel_comparisons as comparisons
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from torch.utils._pytree import tree_map_only

from midfill.kernels.adapted_linear import LowRank
from midfill.kernels.dispatch import Implementation, kernels_used
from midfill.kernels.rotary import RotaryTable
from midfill.kernels.triton.availability import interpreted
from midfill.kernels.unmask import Unmasked

if TYPE_CHECKING:
    from torch import Tensor

pytestmark = pytest.mark.skipif(interpreted(), reason="Triton interprets in this process")

# The fixture is the device, which no example changes.
on_card = settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def moved(value: Any, device: torch.device) -> Any:  # noqa: ANN401
    """Whatever holds tensors, on a device."""
    if isinstance(value, LowRank):
        return LowRank(value.a.to(device), value.b.to(device))
    if isinstance(value, RotaryTable):
        return RotaryTable(value.cos.to(device), value.sin.to(device))
    if isinstance(value, Unmasked):
        return Unmasked(*(moved(part, device) for part in _parts(value)))
    return tree_map_only(torch.Tensor, lambda tensor: tensor.to(device), value)


def _parts(found: Unmasked) -> tuple[Tensor, Tensor, Tensor]:
    return found.tokens, found.probabilities, found.entropies


def run(operation: str, *arguments: object) -> Any:  # noqa: ANN401
    module = importlib.import_module(f"midfill.kernels.triton.{operation}")
    device = torch.device("cuda", torch.cuda.current_device())
    found = getattr(module, operation)(*(moved(argument, device) for argument in arguments))
    return moved(found, torch.device("cpu"))


def test_triton_is_what_a_card_uses(cuda: torch.device) -> None:
    assert kernels_used(cuda).implementation is Implementation.TRITON, kernels_used(cuda).reason


@on_card
@given(case=comparisons.slots)
def test_unmask_agrees_with_its_reference(cuda: torch.device, case: comparisons.Slots) -> None:
    comparisons.compare_unmask(run, case)


@pytest.mark.parametrize("pattern", comparisons.PATTERNS)
def test_unmask_agrees_on_a_whole_vocabulary(cuda: torch.device, pattern: str) -> None:
    case = comparisons.Slots(16, 151_936, torch.bfloat16, pattern, 0.7, None, 4096, 7)
    comparisons.compare_unmask(run, case)


@on_card
@given(case=comparisons.canvases)
def test_canvas_attention_agrees_with_its_reference(
    cuda: torch.device, case: comparisons.Canvas
) -> None:
    comparisons.compare_attention(run, case)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("size", [64, 128, 256])
@pytest.mark.parametrize("split", [None, 1, 7])
def test_canvas_attention_agrees_behind_a_long_context(
    cuda: torch.device, dtype: torch.dtype, size: int, split: int | None
) -> None:
    case = comparisons.Canvas(32, 4000, 500, (14, 2), size, dtype, "some", None, False, split, 1)
    comparisons.compare_attention(run, case)


@on_card
@given(case=comparisons.layers)
def test_adapted_linear_agrees_with_its_reference_and_known_rows_with_the_base(
    cuda: torch.device, case: comparisons.Layer
) -> None:
    comparisons.compare_linear(run, case)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize(("width", "outputs"), [(896, 1152), (4864, 896), (896, 9728)])
def test_adapted_linear_agrees_in_the_shapes_of_a_model(
    cuda: torch.device, dtype: torch.dtype, width: int, outputs: int
) -> None:
    case = comparisons.Layer(16, 4, width, outputs, 96, True, False, dtype, 1)
    comparisons.compare_linear(run, case)


@on_card
@given(case=comparisons.normed_layers)
def test_norm_linear_agrees_with_its_reference_and_known_rows_with_the_base(
    cuda: torch.device, case: comparisons.NormedLayer
) -> None:
    comparisons.compare_norm_linear(run, case)


@on_card
@given(case=comparisons.normed_layers)
def test_gated_linear_agrees_with_its_reference_and_known_rows_with_the_base(
    cuda: torch.device, case: comparisons.NormedLayer
) -> None:
    comparisons.compare_gated_linear(run, case)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_layers_behind_a_norm_agree_in_the_shapes_of_a_model(
    cuda: torch.device, dtype: torch.dtype
) -> None:
    qkv = comparisons.Layer(16, 4, 896, 1152, 96, True, False, dtype, 1)
    gate = comparisons.Layer(16, 4, 896, 4864, 64, False, False, dtype, 1)
    comparisons.compare_norm_linear(run, comparisons.NormedLayer(qkv, 30.0))
    comparisons.compare_gated_linear(run, comparisons.NormedLayer(gate, 30.0))


@on_card
@given(case=comparisons.moves)
def test_rotary_shift_agrees_with_its_reference(cuda: torch.device, case: comparisons.Move) -> None:
    comparisons.compare_shift(run, case)
