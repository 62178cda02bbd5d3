"""Where the time of reading and of a denoising step goes, operation by operation.

The embedded model's own int8 weights, with a clock around each native operation; the rest is
Python, norms, embeddings and what torch does::

    python benchmarks/stages.py --rounds 3 --out benchmarks/stages.json

Nothing else should run meanwhile.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING

import torch

from midfill.inference.canvas import first_canvas, verifying_canvas
from midfill.inference.fillers.embedded import ENCODE_CHUNK
from midfill.inference.measuring.machine import this_machine
from midfill.inference.models.embedded.adapter import read_adapter
from midfill.inference.models.embedded.architecture import Architecture
from midfill.inference.models.embedded.embedding_rows import EmbeddingRows
from midfill.inference.models.embedded.files import Form, ensure_files
from midfill.inference.models.embedded.int8_network import Int8Network
from midfill.inference.models.embedded.int8_weights import assemble_int8
from midfill.inference.models.embedded.model import EmbeddedModel
from midfill.inference.models.embedded.weights import read_tensors
from midfill.inference.progress import nobody_listens
from midfill.kernels.native.library import NativeLibrary, native_library
from midfill.kernels.threads import use_threads

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from midfill.inference.canvas import Canvas
    from midfill.inference.context_cache import ContextCache
    from midfill.kernels.native.calls import AttentionCall, LinearCall, UnmaskCall

CPU = torch.device("cpu")
CONTEXT = 512
"""Tokens behind which steps are timed."""

READ = (500, 940)
"""Tokens that are read from nothing."""

SHAPE = Architecture()
PRODUCTS = {
    (SHAPE.width, SHAPE.query_width + 2 * SHAPE.key_width): "q, k, v",
    (SHAPE.query_width, SHAPE.width): "o",
    (SHAPE.width, 2 * SHAPE.feed_forward): "gate and up",
    (SHAPE.feed_forward, SHAPE.width): "down",
}
"""By what goes in and what comes out."""


class Timed(NativeLibrary):
    """The native operations with a clock around each.

    Attributes:
        seconds: spent, by what it was spent on.
        multiplications: of the products between layers.
    """

    def __init__(self, library: NativeLibrary) -> None:
        self._of = library
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self.multiplications = 0

    @property
    def instruction_set(self) -> str:
        return self._of.instruction_set

    def linear(self, call: LinearCall) -> None:
        self.multiplications += call.rows * call.width * call.outputs
        self._clocked(PRODUCTS.get((call.width, call.outputs), "head"), self._of.linear, call)

    def canvas_attention(self, call: AttentionCall) -> None:
        self._clocked("attention", self._of.canvas_attention, call)

    def unmask(self, call: UnmaskCall) -> None:
        self._clocked("head and choice of a token", self._of.unmask, call)

    def _clocked(self, name: str, work: Callable[..., None], call: object) -> None:
        started = perf_counter()
        work(call)
        self.seconds[name] += perf_counter() - started


def timed_model() -> tuple[EmbeddedModel, Timed]:
    library = native_library()
    if library is None:
        raise SystemExit("there are no native operations here: see `midfill doctor`")
    timed, files = Timed(library), ensure_files(nobody_listens, form=Form.INT8)
    weights, adapter = assemble_int8(
        read_tensors(files.weights),
        EmbeddingRows(files.weights),
        read_adapter(files.adapter),
        SHAPE,
        library,
    )
    return EmbeddedModel(Int8Network(weights, timed), adapter, SHAPE), timed


def tokens(count: int) -> list[int]:
    """Any; what is computed takes as long whatever they are."""
    return torch.randint(1000, 90_000, (count,), generator=torch.manual_seed(0)).tolist()


def read(model: EmbeddedModel, count: int) -> ContextCache:
    cache, wanted = model.new_cache(count + 64), tokens(count)
    for start in range(0, count, ENCODE_CHUNK):
        model.encode(wanted[start : start + ENCODE_CHUNK], cache)
    return cache


def canvases() -> Iterator[tuple[str, Canvas]]:
    yield "a step of 1 slot", first_canvas(tokens(1), 0)
    for masks in (1, 2, 3):
        yield f"a step of {(masks + 1) ** 2} slots", verifying_canvas(7, tokens(masks), masks)


def works(model: EmbeddedModel) -> Iterator[tuple[str, Callable[[], object]]]:
    for count in READ:
        yield f"reading {count} tokens", lambda count=count: read(model, count)  # type: ignore[misc]
    behind = read(model, CONTEXT)
    for name, canvas in canvases():
        yield name, lambda canvas=canvas: model.denoise(canvas, behind).unmasked()  # type: ignore[misc]


def measure(model: EmbeddedModel, timed: Timed, rounds: int) -> dict[str, dict[str, float]]:
    """Milliseconds of each kind of work, all of it and by operation; medians."""
    found: dict[str, list[dict[str, float]]] = {}
    every = [*works(model)]
    for _ in range(rounds + 1):  # the first pages weights in
        for name, work in every:
            timed.seconds.clear()
            timed.multiplications = 0
            started = perf_counter()
            work()
            whole = perf_counter() - started
            inside = sum(timed.seconds.values())
            products = sum(timed.seconds[one] for one in PRODUCTS.values())
            found.setdefault(name, []).append(
                {
                    "all": 1e3 * whole,
                    **{what: 1e3 * seconds for what, seconds in timed.seconds.items()},
                    "the rest": 1e3 * (whole - inside),
                    "billion multiplications a second in products": timed.multiplications
                    / products
                    / 1e9,
                }
            )
    return {
        name: {what: round(median(one[what] for one in ones[1:]), 1) for what in ones[-1]}
        for name, ones in found.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path, help="a JSON file")
    chosen = parser.parse_args()
    model, timed = timed_model()
    usual = torch.get_num_threads()
    figures: dict[str, object] = {
        "machine": str(this_machine(CPU)),
        "instruction_set": timed.instruction_set,
        "rounds": chosen.rounds,
    }
    for threads in sorted({1, usual}):
        use_threads(threads)
        figures[f"ms on {threads} threads"] = measure(model, timed, chosen.rounds)
    print(json.dumps(figures, indent=2))
    if chosen.out:
        chosen.out.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
