"""The native operations against plain torch, with every instruction set that this machine has."""

from __future__ import annotations

import ctypes
import math
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from midfill.kernels.adapted_linear import LowRank
from midfill.kernels.int8_linear import Int8Linear, Norm, PackedLowRank, int8_linear
from midfill.kernels.int8_matrix import Int8Matrix
from midfill.kernels.native.calls import Before, LinearCall
from midfill.kernels.native.library import INSTRUCTION_SETS, NativeLibrary, built_library
from midfill.kernels.native.self_check import first_that_agrees
from midfill.kernels.rotary import RotaryTable
from midfill.kernels.rotary_attention import rotary_attention

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from torch import Tensor

BUILT = built_library()

pytestmark = pytest.mark.skipif(BUILT is None, reason="there was no C++ compiler")


@pytest.fixture(scope="module")
def library() -> NativeLibrary:
    assert BUILT is not None
    return NativeLibrary(BUILT)


@pytest.fixture(scope="module", params=INSTRUCTION_SETS)
def native(library: NativeLibrary, request: pytest.FixtureRequest) -> Iterator[NativeLibrary]:
    before = library.instruction_set
    if not library.use_instruction_set(request.param):
        pytest.skip(f"this processor has no {request.param}")
    yield library
    library.use_instruction_set(before)


@pytest.fixture(params=[1, 3])
def threads(library: NativeLibrary, request: pytest.FixtureRequest) -> Iterator[int]:
    before = library.use_threads(1000)  # as many as there are
    library.use_threads(request.param)
    yield request.param
    library.use_threads(min(before, 2))


def random(seed: int, *shape: int, scale: float = 1.0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed)) * scale


def layer(
    seed: int, *, outputs: int, width: int, before: str, rank: int, groups: int
) -> Int8Linear:
    each = outputs // groups
    adapter = LowRank(
        random(seed + 1, width, groups * rank, scale=0.1),
        torch.block_diag(*(random(seed + 2 + g, rank, each, scale=0.1) for g in range(groups))),
    )
    return Int8Linear(
        Int8Matrix.of(random(seed + 10, outputs, width)),
        random(seed + 11, outputs) if seed % 2 else None,
        PackedLowRank.of(adapter, [each] * groups) if rank else None,
        {
            "nothing": Before.NOTHING,
            "gate": Before.GATE,
            "norm": Norm(random(seed + 12, width), 1e-6),
        }[before],
    )


@settings(max_examples=40)
@given(
    seed=st.integers(0, 1000),
    rows=st.integers(1, 60),
    panels=st.integers(1, 20),
    width=st.integers(1, 30),
    known=st.integers(0, 60),
    before=st.sampled_from(["nothing", "norm", "gate"]),
    rank=st.sampled_from([0, 5, 16, 32]),
    groups=st.sampled_from([1, 2]),
    add=st.booleans(),
)
def test_products_are_those_of_plain_torch(
    native: NativeLibrary,
    seed: int,
    rows: int,
    panels: int,
    width: int,
    known: int,
    before: str,
    rank: int,
    groups: int,
    add: bool,
) -> None:
    known = min(known, rows)
    one = layer(
        seed,
        outputs=16 * panels * groups,
        width=16 * width,
        before=before,
        rank=rank,
        groups=groups,
    )
    x = random(seed, rows, 16 * width * (2 if before == "gate" else 1), scale=3)
    into = random(seed + 20, rows, one.matrix.outputs) if add else None

    found = int8_linear(one, x, known, native, into.clone() if into is not None else None)
    expected = int8_linear(one, x, known, None, into.clone() if into is not None else None)

    # Where a norm or a gate rounds its last bit the other way, one input may step to its neighbour.
    slack = 2e-3 if before != "nothing" else 1e-5
    scale = expected.abs().max() + 1
    assert (found - expected).abs().max() <= slack * scale


def with_each_instruction_set(
    library: NativeLibrary, compute: Callable[[], Tensor]
) -> list[Tensor]:
    before, found = library.instruction_set, []
    for name in INSTRUCTION_SETS:
        if library.use_instruction_set(name):
            found.append(compute())
    library.use_instruction_set(before)
    return found


@settings(max_examples=20)
@given(
    seed=st.integers(0, 1000),
    rows=st.integers(1, 20),
    width=st.integers(1, 40),
    before=st.sampled_from(["nothing", "norm", "gate"]),
    rank=st.sampled_from([0, 16]),
)
def test_every_instruction_set_gives_the_same_to_the_last_bit(
    library: NativeLibrary, seed: int, rows: int, width: int, before: str, rank: int
) -> None:
    one = layer(seed, outputs=48, width=16 * width, before=before, rank=rank, groups=1)
    x = random(seed, rows, (2 if before == "gate" else 1) * 16 * width)

    first, *others = with_each_instruction_set(
        library, lambda: int8_linear(one, x, rows // 2, library)
    )

    assert all(torch.equal(other, first) for other in others)


@settings(max_examples=20)
@given(seed=st.integers(0, 1000), slots=st.integers(1, 17), context=st.integers(0, 150))
def test_attention_is_the_same_with_every_instruction_set(
    library: NativeLibrary, seed: int, slots: int, context: int
) -> None:
    queries, groups, size = 4, 2, 64
    projected = random(seed, slots, (queries + 2 * groups) * size)
    angles = RotaryTable.build(1000, size, 10_000.0, torch.device("cpu")).at(
        context + torch.arange(slots)
    )
    keys = random(seed + 1, groups, context + slots, size).bfloat16()
    values = random(seed + 2, groups, context + slots, size).bfloat16()
    visible = torch.ones(slots, slots, dtype=torch.bool).tril()

    first, *others = with_each_instruction_set(
        library,
        lambda: rotary_attention(
            projected, angles, visible, keys.clone(), values.clone(), context, library
        ),
    )

    assert all(torch.equal(other, first) for other in others)


def test_the_largest_integers_do_not_overflow(native: NativeLibrary) -> None:
    width = 4864
    matrix = Int8Matrix.of(torch.ones(16, width))
    y = int8_linear(Int8Linear(matrix), torch.ones(1, width), 1, native)
    assert torch.allclose(y, torch.full((1, 16), float(width)), rtol=1e-6)
    y = int8_linear(Int8Linear(matrix), -torch.ones(7, width), 7, native)
    assert torch.allclose(y, torch.full((7, 16), -float(width)), rtol=1e-6)


@pytest.mark.parametrize("before", ["nothing", "norm", "gate"])
def test_a_row_of_zeros_gives_zeros(native: NativeLibrary, before: str) -> None:
    one = layer(2, outputs=32, width=32, before=before, rank=16, groups=1)
    y = int8_linear(one, torch.zeros(3, 64 if before == "gate" else 32), 1, native)
    assert torch.equal(y, torch.zeros(3, 32))


@pytest.mark.parametrize("rows", [2, 5, 16, 61])
def test_no_row_depends_on_another(native: NativeLibrary, threads: int, rows: int) -> None:
    one = layer(1, outputs=320, width=256, before="norm", rank=32, groups=2)
    x = random(0, rows, 256)
    alone = int8_linear(one, x[:1].contiguous(), 1, native)
    x[1:] *= 1000

    assert torch.equal(int8_linear(one, x, 1, native)[:1], alone)


def test_not_a_number_is_never_hidden(native: NativeLibrary) -> None:
    one = layer(1, outputs=32, width=32, before="nothing", rank=0, groups=1)
    for bad in (math.nan, math.inf):
        x = torch.ones(2, 32)
        x[1, 5] = bad
        y = int8_linear(one, x, 2, native)
        assert y[0].isfinite().all()
        assert not y[1].isfinite().any()


@settings(max_examples=30)
@given(
    seed=st.integers(0, 1000),
    slots=st.integers(1, 40),
    context=st.one_of(st.just(0), st.integers(1, 200)),
    heads=st.sampled_from([(1, 1), (4, 2), (14, 2), (3, 1)]),
    size=st.sampled_from([16, 64, 128]),
    spare=st.integers(0, 9),
)
def test_attention_is_that_of_plain_torch(
    native: NativeLibrary,
    seed: int,
    slots: int,
    context: int,
    heads: tuple[int, int],
    size: int,
    spare: int,
) -> None:
    query_heads, key_heads = heads
    visible = random(seed, slots, slots) > 0
    visible |= torch.eye(slots, dtype=torch.bool)
    keys = random(seed + 1, key_heads, context + slots + spare, size).bfloat16()
    values = random(seed + 2, key_heads, context + slots + spare, size).bfloat16()
    projected = random(seed + 3, slots, (query_heads + 2 * key_heads) * size, scale=2)
    angles = RotaryTable.build(1000, size, 10_000.0, torch.device("cpu")).at(
        context + torch.arange(slots)
    )

    def attended(library: NativeLibrary | None) -> tuple[Tensor, Tensor, Tensor]:
        own_keys, own_values = keys.clone(), values.clone()
        found = rotary_attention(projected, angles, visible, own_keys, own_values, context, library)
        return found, own_keys, own_values

    found, found_keys, found_values = attended(native)
    expected, expected_keys, expected_values = attended(None)
    # The product and the sum of a rotation may be rounded as one: a key's last bit, at most.
    assert torch.allclose(found_keys.float(), expected_keys.float(), rtol=2**-7, atol=1e-5)
    assert torch.equal(found_values, expected_values)
    assert (found - expected).abs().max() < 0.02
    assert (found - expected).abs().mean() < 1e-3


def test_slots_that_are_not_seen_do_not_matter(native: NativeLibrary, threads: int) -> None:
    visible = torch.ones(70, 70, dtype=torch.bool).tril()
    angles = RotaryTable.build(200, 64, 10_000.0, torch.device("cpu")).at(100 + torch.arange(70))
    keys, values = (random(seed, 2, 200, 64).bfloat16() for seed in (1, 2))
    projected = random(3, 70, 18 * 64)

    def attended(projected: Tensor) -> Tensor:
        return rotary_attention(
            projected, angles, visible, keys.clone(), values.clone(), 100, native
        )

    other = projected.clone()
    other[40:] *= -5
    assert torch.equal(attended(projected)[:40], attended(other)[:40])


def test_a_rounded_matrix_is_at_most_half_a_step_off() -> None:
    weight = random(0, 48, 64)
    matrix = Int8Matrix.of(weight)
    assert (matrix.dequantised() - weight).abs().max() <= matrix.scales.max() / 2 + 1e-6
    assert matrix.rounded().abs().max() == 127
    chosen = torch.tensor([40, 3, *range(14)])
    assert torch.equal(matrix.rows(chosen).rounded(), matrix.rounded()[chosen])
    assert torch.equal(matrix.rows(chosen).sums, matrix.sums[chosen])


def test_an_instruction_set_that_computes_wrongly_is_not_used(library: NativeLibrary) -> None:
    class Lying:
        """A library whose first instruction set drops an output."""

        name = ""

        def use_instruction_set(self, name: str) -> bool:
            self.name = name
            return name == "lying" or library.use_instruction_set(name)

        def linear(self, call: LinearCall) -> None:
            library.linear(call)
            if self.name == "lying":
                ctypes.c_float.from_address(call.y + 4 * 37).value += 1

    before, lying = library.instruction_set, Lying()
    assert first_that_agrees(lying, ("lying", "portable")) == "portable"  # type: ignore[arg-type]
    assert lying.name == "portable"
    library.use_instruction_set(before)


@pytest.mark.parametrize(
    ("wanted", "used"), [("none", "None"), ("portable", "portable"), ("sse9", "portable")]
)
def test_the_instruction_set_can_be_named(wanted: str, used: str) -> None:
    script = (
        "from midfill.kernels.native.library import native_library as n;"
        "print(n() and n().instruction_set)"
    )
    environment = os.environ | {"MIDFILL_INSTRUCTION_SET": wanted}
    said = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True
    )
    assert said.stdout.strip() == used
