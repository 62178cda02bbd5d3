"""Which way to multiply is fastest on this CPU: the matrix products of one denoising step.

Builds the embedded model's projections with random weights, and runs all of a step's products, its
head included, with each way that is installed::

    python benchmarks/cpu_paths.py                      # plain torch, torch's own int8, ours
    pip install torchao openvino                        # compared as well, where they are installed
    python benchmarks/cpu_paths.py --out figures.json
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import platform
import statistics
import warnings
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

import torch
from torch import nn

from midfill.inference.models.embedded.architecture import Architecture
from midfill.kernels.int8_linear import Int8Linear, int8_linear
from midfill.kernels.int8_matrix import Int8Matrix
from midfill.kernels.native.library import native_library

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

SHAPE = Architecture()
LAYERS = 8
"""Built and run; what a step takes is scaled up to all layers."""

PROJECTIONS = (
    (SHAPE.width, SHAPE.query_width + 2 * SHAPE.key_width),
    (SHAPE.query_width, SHAPE.width),
    (SHAPE.width, 2 * SHAPE.feed_forward),
    (SHAPE.feed_forward, SHAPE.width),
)


class Products(nn.Module):
    """Projections, each fed with rows of its own."""

    def __init__(self, layers: int) -> None:
        super().__init__()
        self.linears = nn.ModuleList(
            nn.Linear(*sizes, bias=False) for _ in range(layers) for sizes in PROJECTIONS
        )

    def forward(self, *rows: Tensor) -> list[Tensor]:
        return [linear(rows[i % len(PROJECTIONS)]) for i, linear in enumerate(self.linears)]


def ways(products: Products) -> dict[str, Callable[[tuple[Tensor, ...]], object]]:
    """Each way to compute them; those that are not installed are left out."""
    found: dict[str, Callable[[tuple[Tensor, ...]], object]] = {
        "torch, float32": lambda rows: products(*rows)
    }
    half = Products(LAYERS).bfloat16()
    found["torch, bfloat16"] = lambda rows: half(*(row.bfloat16() for row in rows))
    compiled = torch.compile(products)
    found["torch.compile, float32"] = lambda rows: compiled(*rows)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        quantised = torch.ao.quantization.quantize_dynamic(
            Products(LAYERS), {nn.Linear}, dtype=torch.qint8
        )
    found["torch, dynamic int8"] = lambda rows: quantised(*rows)
    if importlib.util.find_spec("torchao"):
        from torchao.quantization import Int8DynamicActivationInt8WeightConfig, quantize_

        ao = Products(LAYERS)
        quantize_(ao, Int8DynamicActivationInt8WeightConfig())
        ao_compiled = torch.compile(ao)
        found["torchao int8, compiled"] = lambda rows: ao_compiled(*rows)
    if importlib.util.find_spec("openvino"):
        found["openvino"] = _openvino()
    if native := native_library():
        ours = [
            Int8Linear(Int8Matrix.of(linear.weight.detach()))
            for linear in products.linears
            if isinstance(linear, nn.Linear)
        ]
        found[f"ours, int8 ({native.instruction_set})"] = lambda rows: [
            int8_linear(layer, rows[i % len(PROJECTIONS)], len(rows[0]), native)
            for i, layer in enumerate(ours)
        ]
    return found


def _openvino() -> Callable[[tuple[Tensor, ...]], object]:
    import openvino

    rows = tuple(torch.randn(16, width) for width, _ in PROJECTIONS)
    model = openvino.convert_model(Products(LAYERS).eval(), example_input=rows)
    compiled = openvino.compile_model(
        model, "CPU", {"INFERENCE_NUM_THREADS": torch.get_num_threads()}
    )
    return lambda rows: compiled([row.numpy() for row in rows])


@torch.inference_mode()
def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--slots", type=int, nargs="+", default=[1, 4, 16])
    parser.add_argument("--out", type=Path, help="a JSON file")
    chosen = parser.parse_args()

    products = Products(LAYERS)
    found = ways(products)
    rows = {
        slots: tuple(torch.randn(slots, width) for width, _ in PROJECTIONS)
        for slots in chosen.slots
    }
    times: dict[str, dict[int, list[float]]] = {
        name: {slots: [] for slots in chosen.slots} for name in found
    }
    for name, compute in list(found.items()):
        try:
            for each in rows.values():
                compute(each)
                compute(each)
        except Exception as error:  # whatever a library that was only just installed may raise
            print(f"{name}: left out ({type(error).__name__}: {str(error).splitlines()[0]})")
            del found[name]
    for _ in range(chosen.rounds):  # one after the other, so that noise hits all alike
        for name, compute in found.items():
            for slots, each in rows.items():
                start = perf_counter()
                compute(each)
                times[name][slots].append((perf_counter() - start) * SHAPE.layers / LAYERS)
    figures = {
        "machine": f"{platform.machine()}, torch {torch.__version__} with "
        f"{torch.backends.cpu.get_cpu_capability()}, {torch.get_num_threads()} threads",
        "ms": {
            name: {
                slots: {
                    "median": round(statistics.median(times[name][slots]) * 1e3, 1),
                    "best": round(min(times[name][slots]) * 1e3, 1),
                }
                for slots in chosen.slots
            }
            for name in found
        },
    }
    print(json.dumps(figures, indent=2))
    if chosen.out:
        chosen.out.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
