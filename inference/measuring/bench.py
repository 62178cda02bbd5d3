"""The benchmark: a model, others to compare it with, and the report."""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING

from midfill.inference.devices import torch_device, usual_device
from midfill.inference.engine import Engine
from midfill.inference.measuring.canvases import measure_canvases
from midfill.inference.measuring.comparing import compare, ratios
from midfill.inference.measuring.compiling import compile_layers
from midfill.inference.measuring.machine import this_machine
from midfill.inference.measuring.memory import MemoryWatch
from midfill.inference.measuring.opening import against_reference, fetch_against, open_against
from midfill.inference.measuring.ours import Ours
from midfill.inference.measuring.places import places
from midfill.inference.measuring.report import ContenderFigures, Report
from midfill.inference.models.catalog import EMBEDDED
from midfill.inference.models.reference import Place as Whereabouts
from midfill.inference.progress import nobody_listens
from midfill.inference.wire import Extent

if TYPE_CHECKING:
    from midfill.inference.measuring.contender import Contender
    from midfill.inference.models.reference import ModelReference
    from midfill.inference.progress import ProgressListener

KINDS = {"line": Extent.LINE, "block": Extent.BLOCK}


def bench(
    model: str,
    device: str | None = None,
    against: str | None = None,
    *,
    repeat: int = 3,
    compiled: bool = False,
    listener: ProgressListener = nobody_listens,
) -> Report:
    """Measure a model, interleaved with what it is compared with.

    Args:
        model: any model's name.
        device: torch's name of it; by default where the model usually runs.
        against: an autoregressive model, on the hub or in a folder.
        repeat: fills of each hole.
        compiled: whether layers are compiled by `torch.compile` first.
        listener: told how far it is.

    Raises:
        UsageError: there is no such model or device, or it cannot be compiled.
        MidfillError: the model cannot be had or cannot fill.
    """
    engine = Engine(model, device)
    where = torch_device(device or usual_device(engine.reference.place))
    other = against_reference(against) if against else None
    holes = {kind: places(extent) for kind, extent in KINDS.items()}
    memory, machine = MemoryWatch(where), this_machine(where)
    _fetch(engine.reference, listener)
    folder = fetch_against(other, listener) if other else None

    before, started = memory.held(), perf_counter()
    engine.load(listener)
    loads: list[float | None] = [perf_counter() - started]
    sizes: list[int | None] = [max(0, memory.held() - before)]
    if compiled:
        compile_layers(engine)
    contenders: list[Contender] = [Ours(engine)]
    about = [""]
    if (generate := _generate(engine)) is not None:
        contenders.append(generate)
        about.append(
            "transformers' own loop with the same weights, prompt, canvas and steps at most; "
            "its tokens are whole canvases, midfill's those of the middle"
        )
        loads.append(None)
        sizes.append(None)
    if other is not None and folder is not None:
        before, started = memory.held(), perf_counter()
        autoregressive = open_against(folder, other, where, listener)
        loads.append(perf_counter() - started)
        sizes.append(max(0, memory.held() - before))
        contenders.append(autoregressive)
        sees = "both sides" if autoregressive.fills_in_the_middle else "the prefix alone"
        about.append(f"greedy, as many tokens as midfill wrote, sees {sees}")

    tallies = compare(contenders, holes, repeat, memory, listener)
    compared = list(zip(contenders, tallies, strict=True))
    return Report(
        model=model,
        machine=machine,
        memory=memory.kind,
        holes={kind: tuple(place.name for place in found) for kind, found in holes.items()},
        repeat=repeat,
        compiled=compiled,
        contenders=tuple(
            ContenderFigures(
                name=contender.name,
                about=about[number],
                load_s=loads[number],
                loaded_bytes=sizes[number],
                peak_bytes=tally.peak,
                kinds={kind: tally.figures(kind) for kind in holes},
                failure=tally.failure,
            )
            for number, (contender, tally) in enumerate(compared)
        ),
        ratios=tuple(
            ratio
            for contender, tally in compared[1:]
            for ratio in ratios(contender.name, tally, tallies[0], list(holes))
        ),
        canvases=measure_canvases(engine, holes["block"][0], repeat, listener),
    )


def _fetch(reference: ModelReference, listener: ProgressListener) -> None:
    """Have the model here, so that fetching it is not taken for loading it."""
    if reference.place is Whereabouts.EMBEDDED:
        EMBEDDED.folder().ensure(listener, pull=True)
    elif reference.place is Whereabouts.HUB:
        from midfill.inference.downloads.repository.ensuring import ensure_snapshot

        ensure_snapshot(reference.location, reference.options.revision, listener)


def _generate(engine: Engine) -> Contender | None:
    """DiffusionGemma's own loop; None for other models."""
    if engine.reference.place not in (Whereabouts.FOLDER, Whereabouts.HUB):
        return None
    from midfill.inference.fillers.diffusion_gemma import DiffusionGemmaFiller
    from midfill.inference.measuring.generate import Generate

    filler = engine.filler
    return Generate(filler) if isinstance(filler, DiffusionGemmaFiller) else None
