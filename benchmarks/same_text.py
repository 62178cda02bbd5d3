"""Whether every way to compute writes the same text.

Lines of the Python library's own source files are taken out and typed again; at five places of each
its rest is filled in with each way to compute that this machine has::

    python benchmarks/same_text.py --fills 500 --out benchmarks/same_text.json

Where a way writes something else than the first one, the first token that differs is looked at: by
how many nats each way prefers its own there. Ctrl-C prints what there is so far.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import sysconfig
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from time import monotonic, perf_counter
from typing import TYPE_CHECKING

import torch

from midfill.inference.canvas import first_canvas
from midfill.inference.fillers.embedded import EmbeddedFiller
from midfill.inference.fillers.filler import Run
from midfill.inference.measuring.machine import this_machine
from midfill.inference.measuring.replay.prompts import own_tokens
from midfill.inference.measuring.replay.sources import SourceFile
from midfill.inference.measuring.replay.typed_line import choose_lines
from midfill.inference.models.embedded.adapter import read_adapter
from midfill.inference.models.embedded.architecture import Architecture
from midfill.inference.models.embedded.eager_network import EagerNetwork
from midfill.inference.models.embedded.embedding_rows import EmbeddingRows
from midfill.inference.models.embedded.files import Form, ensure_files
from midfill.inference.models.embedded.int8_network import Int8Network
from midfill.inference.models.embedded.int8_weights import assemble_int8
from midfill.inference.models.embedded.model import EmbeddedModel
from midfill.inference.models.embedded.weights import Weights, assemble_base, read_tensors
from midfill.inference.models.loading import load_embedded
from midfill.inference.progress import nobody_listens
from midfill.inference.stopwatch import Stopwatch
from midfill.inference.wire import Extent, Final, HoleSpan, InfillRequest, Limits
from midfill.kernels.native.library import INSTRUCTION_SETS, native_library
from midfill.kernels.threads import use_threads

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from midfill.inference.measuring.replay.typed_line import TypedLine
    from midfill.inference.models.interface import DenoisingModel
    from midfill.inference.models.loading import LoadedModel

BEFORE, BEHIND = 240, 80
"""Characters around a hole: short, so that reading them takes no longer than filling it."""

TOKENS = 24
HOURS = 3600.0
PLACES = (0, 3, 6, 9, 12)
"""Characters of a line that are typed; between them a way keeps what it has read."""

CPU = torch.device("cpu")
ONE_THREAD = ", one thread"
PLAIN_INT8 = "int8 in plain torch"


@dataclass(slots=True)
class Way:
    """One way to compute.

    Attributes:
        name: for people.
        filler: with a model and caches of its own.
        instruction_set: of the native operations; None without them.
        threads: of an operation; None for as many as usual.
        fills: how many it is given, at most.
        texts, tokens, seconds: of its fills, by their number.
    """

    name: str
    filler: EmbeddedFiller
    instruction_set: str | None
    threads: int | None
    fills: int
    texts: dict[int, str] = field(default_factory=dict)
    tokens: dict[int, tuple[int, ...]] = field(default_factory=dict)
    seconds: list[float] = field(default_factory=list)

    @contextmanager
    def in_use(self, threads: int) -> Iterator[None]:
        native = native_library()
        if self.instruction_set is not None:
            assert native is not None
            assert native.use_instruction_set(self.instruction_set)
        use_threads(self.threads or threads)
        yield
        use_threads(threads)

    def fill(self, number: int, request: InfillRequest) -> None:
        if number % len(PLACES) == 0:
            self.filler.forget()
        started = perf_counter()
        run = Run(monotonic() + HOURS, Stopwatch(monotonic()), lambda: False)
        *_, final = self.filler.fill(request, run)
        self.seconds.append(perf_counter() - started)
        assert isinstance(final, Final)
        self.texts[number] = final.text
        prompt = prompt_tokens(self.filler.loaded, request)
        model = self.filler.loaded.model
        _, written = self.filler.contexts.take(prompt, lambda: model.new_cache(len(prompt)))
        self.tokens[number] = tuple(written)


def open_ways(fills: int, slow: int, without: Sequence[str]) -> list[Way]:
    """What this machine has, the native ones first.

    Args:
        fills: of native ways.
        slow: of the others.
        without: names of ways to leave out.
    """
    native, found = native_library(), []
    usual = load_embedded(CPU, nobody_listens)

    def add(
        name: str,
        loaded: LoadedModel,
        most: int,
        instruction_set: str | None = None,
        threads: int | None = None,
    ) -> None:
        if name not in without:
            filler = EmbeddedFiller(loaded, name)
            found.append(Way(name, filler, instruction_set, threads, most))

    if native is not None:
        here = [name for name in INSTRUCTION_SETS if native.use_instruction_set(name)]
        for name in here:
            add(name, usual, fills, name)
        add(here[0] + ONE_THREAD, usual, slow, here[0], 1)
        if PLAIN_INT8 not in without:
            add(PLAIN_INT8, with_model(usual, plain_int8_model()), slow)
    for dtype in (torch.float32, torch.bfloat16):
        name = f"eager {str(dtype).removeprefix('torch.')}"
        if name not in without:
            add(name, with_model(usual, eager_model(dtype)), slow)
    return found


def with_model(usual: LoadedModel, model: DenoisingModel) -> LoadedModel:
    return replace(usual, model=model, pace=None)


def plain_int8_model() -> DenoisingModel:
    files, architecture = ensure_files(form=Form.INT8), Architecture()
    weights, adapter = assemble_int8(
        read_tensors(files.weights),
        EmbeddingRows(files.weights),
        read_adapter(files.adapter),
        architecture,
        None,
    )
    return EmbeddedModel(Int8Network(weights, None), adapter, architecture)


def eager_model(dtype: torch.dtype) -> DenoisingModel:
    files, architecture = ensure_files(form=Form.BFLOAT16), Architecture()
    base = assemble_base(
        read_tensors(files.weights),
        EmbeddingRows(files.weights),
        architecture,
        dtype=dtype,
        device=CPU,
    )
    weights = Weights.assemble(base, read_adapter(files.adapter), architecture)
    return EmbeddedModel(EagerNetwork(weights, architecture), weights.adapter, architecture)


def holes(count: int, seed: int) -> list[TypedLine]:
    """Lines of the library's files, one file after the other."""
    paths = sorted(Path(sysconfig.get_path("stdlib")).glob("*.py"))
    files = [SourceFile(path.name, path.read_text("utf-8", "replace"), "python") for path in paths]
    lines = [*choose_lines(files, count, seed)]
    random.Random(seed).shuffle(lines)
    return lines


def request_for(line: TypedLine, typed: int) -> InfillRequest:
    """The rest of the line behind so many of its characters."""
    text, at = line.document(typed)
    prefix, suffix = text[max(0, at - BEFORE) : at], text[at : at + BEHIND]
    return InfillRequest(
        prefix=prefix,
        suffix=suffix,
        holes=(HoleSpan(start=len(prefix), end=len(prefix), extent=Extent.LINE),),
        language="python",
        limits=Limits(tokens=TOKENS, deadline_ms=600_000),
    )


def prompt_tokens(loaded: LoadedModel, request: InfillRequest) -> list[int]:
    return [
        piece for piece in own_tokens(loaded.tokenizer, request).pieces if isinstance(piece, int)
    ]


@dataclass(frozen=True, slots=True)
class Difference:
    """The first token at which two ways part.

    Attributes:
        fill: its number.
        at: tokens that were the same before.
        reference_nats, other_nats: by how much each way prefers its own token to the other's there;
            None where one of them ended.
    """

    fill: int
    at: int
    reference_nats: float | None
    other_nats: float | None


def explain(reference: Way, other: Way, number: int, request: InfillRequest) -> Difference:
    ours, theirs = reference.tokens[number], other.tokens[number]
    same = next((i for i, (a, b) in enumerate(zip(ours, theirs, strict=False)) if a != b), None)
    if same is None:
        return Difference(number, min(len(ours), len(theirs)), None, None)
    known = [*prompt_tokens(reference.filler.loaded, request), *ours[:same]]
    nats = []
    for way, own, else_ in ((reference, ours, theirs), (other, theirs, ours)):
        model = way.filler.loaded.model
        with way.in_use(torch.get_num_threads()):
            cache = model.new_cache(len(known))
            model.encode(known[:-1], cache)
            logits = model.denoise(first_canvas(known[-1:], 0), cache).logits[0]
        nats.append(round(float(logits[own[same]] - logits[else_[same]]), 4))
    return Difference(number, same, *nats)


def compare(reference: Way, other: Way, requests: Sequence[InfillRequest]) -> dict[str, object]:
    both = [number for number in other.texts if number in reference.texts]
    apart = [number for number in both if other.texts[number] != reference.texts[number]]
    found = [explain(reference, other, number, requests[number]) for number in apart]
    told = [
        (one.reference_nats, one.other_nats)
        for one in found
        if one.reference_nats is not None and one.other_nats is not None
    ]
    return {
        "fills": len(both),
        "same_text": len(both) - len(apart),
        "tokens": sum(len(other.tokens[number]) for number in both),
        "seconds_a_fill_median": round(statistics.median(other.seconds), 3) if both else None,
        "nats_at_the_first_difference": {
            "reference": spread([one for one, _ in told]),
            "other": spread([two for _, two in told]),
        },
        "differences": [[one.fill, one.at, one.reference_nats, one.other_nats] for one in found],
    }


def spread(values: Sequence[float]) -> dict[str, float] | None:
    if not values:
        return None
    return {"median": round(statistics.median(values), 4), "largest": max(values)}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--fills", type=int, default=500, help="of native ways")
    parser.add_argument("--slow", type=int, default=50, help="of the others")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--without", nargs="*", default=[], help="ways to leave out")
    parser.add_argument("--out", type=Path, help="a JSON file")
    chosen = parser.parse_args()

    lines = holes(-(-chosen.fills // len(PLACES)), chosen.seed)
    requests = [request_for(line, typed) for line in lines for typed in PLACES][: chosen.fills]
    ways = open_ways(chosen.fills, min(chosen.slow, chosen.fills), chosen.without)
    threads, interrupted = torch.get_num_threads(), False
    try:
        for number, request in enumerate(requests):
            for way in ways:
                if number < way.fills:
                    with way.in_use(threads):
                        way.fill(number, request)
            print(f"\r{number + 1} of {len(requests)} fills", end="", flush=True)
    except KeyboardInterrupt:
        interrupted = True
    reference, *others = ways
    asked = "\n".join(request.model_dump_json() for request in requests)
    figures = {
        "machine": str(this_machine(CPU)),
        "seed": chosen.seed,
        "requests_sha256": sha256(asked.encode()).hexdigest(),
        "interrupted": interrupted,
        "reference": reference.name,
        "reference_fills": len(reference.texts),
        "others": {way.name: compare(reference, way, requests) for way in others},
    }
    print("\r" + json.dumps(figures, indent=2))
    if chosen.out:
        chosen.out.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
