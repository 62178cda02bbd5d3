"""Whether an instruction set computes here what plain C++ computes.

A processor, a virtual machine or a compiler may promise what it does not keep. The product of a
small matrix tells in microseconds.
"""

from __future__ import annotations

import ctypes
from random import Random
from typing import TYPE_CHECKING

from midfill.kernels.native.calls import LinearCall

if TYPE_CHECKING:
    from midfill.kernels.native.library import NativeLibrary

ROWS, WIDTH, OUTPUTS = 21, 64, 32
"""Rows enough for every size of tile."""

TOLERANCE = 1e-4


def first_that_agrees(library: NativeLibrary, names: tuple[str, ...]) -> str:
    """Put the first of ``names`` to use that this processor has and that computes rightly.

    The last of them is what the others are compared with.
    """
    *fast, plain = names
    library.use_instruction_set(plain)
    expected = _product(library)
    for name in fast:
        if library.use_instruction_set(name) and _near(_product(library), expected):
            return name
    library.use_instruction_set(plain)
    return plain


def _product(library: NativeLibrary) -> list[float]:
    draw = Random(0)
    x = (ctypes.c_float * (ROWS * WIDTH))(*(draw.uniform(-1, 1) for _ in range(ROWS * WIDTH)))
    rounded = [[draw.randint(-127, 127) for _ in range(WIDTH)] for _ in range(OUTPUTS)]
    # (OUTPUTS / 16, WIDTH / 4, 16, 4), as `Int8Matrix` lays it out
    panels = [
        rounded[panel + output][four + k]
        for panel in range(0, OUTPUTS, 16)
        for four in range(0, WIDTH, 4)
        for output in range(16)
        for k in range(4)
    ]
    weights = (ctypes.c_int8 * len(panels))(*panels)
    scales = (ctypes.c_float * OUTPUTS)(*(draw.uniform(0.5, 1) for _ in range(OUTPUTS)))
    sums = (ctypes.c_int32 * OUTPUTS)(*map(sum, rounded))
    y = (ctypes.c_float * (ROWS * OUTPUTS))()
    call = LinearCall()
    call.x, call.y = ctypes.addressof(x), ctypes.addressof(y)
    call.weights, call.weight_scales = ctypes.addressof(weights), ctypes.addressof(scales)
    call.weight_sums = ctypes.addressof(sums)
    call.rows = call.known = ROWS
    call.width = call.x_stride = WIDTH
    call.outputs = OUTPUTS
    library.linear(call)
    return list(y)


def _near(found: list[float], expected: list[float]) -> bool:
    largest = max(map(abs, expected))
    pairs = zip(found, expected, strict=True)
    return all(abs(a - b) <= TOLERANCE * largest for a, b in pairs)
