"""The replay as a whole: the engine, what it is compared with, and the report."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING

import torch

from midfill.inference.busy_watch import BusyWatch
from midfill.inference.devices import torch_device, usual_device
from midfill.inference.engine import Engine
from midfill.inference.errors import MidfillError
from midfill.inference.fillers.embedded import EmbeddedFiller
from midfill.inference.measuring.machine import this_machine
from midfill.inference.measuring.replay.endpoint import Endpoint, EndpointName
from midfill.inference.measuring.replay.engine_writer import EngineWriter
from midfill.inference.measuring.replay.growth import growth_points, measure_growth
from midfill.inference.measuring.replay.growth_server import measure_server_growth
from midfill.inference.measuring.replay.growth_verdicts import growth_verdicts
from midfill.inference.measuring.replay.llama_cpp import load_llama_cpp
from midfill.inference.measuring.replay.peers import GgufModel, SameWeights, find_peers
from midfill.inference.measuring.replay.prompts import own_tokens, sides
from midfill.inference.measuring.replay.replaying import Replay, Typing, replay
from midfill.inference.measuring.replay.report import ReplayReport
from midfill.inference.measuring.replay.reporting import (
    comparisons,
    samples,
    vs_llama_cpp,
    writer_figures,
)
from midfill.inference.measuring.replay.requantise import Quantisation, quantised_file
from midfill.inference.measuring.replay.sources import SourceFile, standard_library
from midfill.inference.measuring.replay.typed_line import choose_lines
from midfill.inference.measuring.replay.variants import check_names, open_without
from midfill.inference.models.catalog import EMBEDDED
from midfill.inference.models.embedded.files import ensure_files, form_on_cpu
from midfill.inference.progress import nobody_listens
from midfill.kernels.native.library import native_library, usable_threads

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from midfill.inference.measuring.replay.growth import GrowthSample
    from midfill.inference.measuring.replay.peers import Peer
    from midfill.inference.measuring.replay.writer import Writer
    from midfill.inference.progress import ProgressListener

PUBLISHED = (Quantisation.Q4_K_M,)


@dataclass(frozen=True, slots=True)
class Plan:
    """What is measured.

    Attributes:
        device: torch's name of it; by default where the model usually runs.
        against: names of what to compare with.
        without: optimisations of ours to switch off, each in an engine of its own.
        quantisations: in which llama.cpp runs the same weights.
        files: what is typed in; Python's own modules if there are none.
        lines: how many are typed.
        typing: how.
        seed: which lines.
        growth: whether growth is measured as well.
    """

    device: str | None = None
    against: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    quantisations: tuple[Quantisation, ...] = PUBLISHED
    files: tuple[SourceFile, ...] = ()
    lines: int = 20
    typing: Typing = field(default_factory=Typing)
    seed: int = 0
    growth: bool = False


def bench_replay(plan: Plan, listener: ProgressListener = nobody_listens) -> ReplayReport:
    """Measure the embedded model while lines of real files are typed.

    Ctrl-C ends it early, with what was measured until then.

    Raises:
        UsageError: a name is wrong.
        MidfillError: something is missing, or the model cannot be had.
    """
    without, peers = check_names(plan.without), find_peers(plan.against)
    files = plan.files or standard_library()
    lines = choose_lines(files, plan.lines, plan.seed)
    engine = Engine(device=plan.device)
    device = torch_device(plan.device or usual_device(engine.reference.place))
    machine = this_machine(device)

    opened = _Opened(listener)
    try:
        opened.open_engine(engine)
        for name in without:
            opened.open_variant(name, engine, device)
        for peer in peers:
            opened.open_peer(peer, engine, plan.quantisations)
        busy = BusyWatch.start()
        found = replay(opened.writers, lines, plan.typing, listener)
        grown: list[GrowthSample] = []
        if plan.growth:
            measured = measure_growth(EngineWriter(engine), files, plan.seed, listener)
            _collect(measured, grown, found)
        others_busy = busy.others()
        server_failure = ""
        if plan.growth:  # in processes of its own, which are not ours
            try:
                _collect(measure_server_growth(files, listener), grown, found)
            except MidfillError as error:  # nothing else is lost by it
                server_failure = str(error)
        return ReplayReport(
            model=engine.model,
            machine=machine,
            others_busy=others_busy,
            lines=tuple(line.name for line in lines),
            typing=plan.typing,
            seed=plan.seed,
            interrupted=found.interrupted,
            writers=writer_figures(opened.writers, found, opened.loads),
            comparisons=(compared := comparisons(opened.writers, found)),
            vs_llamacpp=vs_llama_cpp(compared, opened.quantisations or opened.unhealed),
            growth=growth_points(grown),
            growth_verdicts=growth_verdicts(grown),
            server_failure=server_failure,
            samples=samples(found),
        )
    finally:
        for writer in reversed(opened.writers):
            writer.close()


def _collect(measured: Iterable[GrowthSample], grown: list[GrowthSample], found: Replay) -> None:
    """One by one, so that they are kept if it is broken off."""
    if found.interrupted:
        return
    try:
        for sample in measured:
            grown.append(sample)
    except KeyboardInterrupt:
        found.interrupted = True


class _Opened:
    """The writers in memory.

    Attributes:
        writers: ours first.
        loads: seconds that loading took, by name.
        quantisations: of llama.cpp on the same weights, by name; ``unhealed`` of those that are
            given a partial token as it stands.
    """

    def __init__(self, listener: ProgressListener) -> None:
        self.writers: list[Writer] = []
        self.loads: dict[str, float] = {}
        self.quantisations: dict[str, str] = {}
        self.unhealed: dict[str, str] = {}
        self._listener = listener

    def open_engine(self, engine: Engine) -> None:
        EMBEDDED.folder().ensure(self._listener, pull=True)  # fetching is not loading

        def load() -> Writer:
            engine.load(self._listener)
            return EngineWriter(engine)

        self._add(load)

    def open_variant(self, name: str, engine: Engine, device: torch.device) -> None:
        filler = engine.filler
        assert isinstance(filler, EmbeddedFiller)
        self._add(lambda: open_without(name, filler.loaded, device, self._listener))

    def open_peer(
        self, peer: Peer, engine: Engine, quantisations: tuple[Quantisation, ...]
    ) -> None:
        threads = _threads()
        if isinstance(peer, EndpointName):
            endpoint = Endpoint(peer, partial(sides, engine))
            self.writers.append(endpoint)
            endpoint.check()
        elif isinstance(peer, GgufModel):
            markers = peer.markers
            about = f"llama.cpp, threads: {threads}, greedy, its own markers"
            name = self._free_name(peer.path.name)
            self._add(
                lambda: load_llama_cpp(
                    peer.path,
                    lambda request: markers.prompt(sides(engine, request)),
                    threads,
                    name,
                    about,
                    self._listener,
                )
            )
        else:
            assert isinstance(peer, SameWeights)
            for quantisation in quantisations:
                self._open_same_weights(quantisation, engine, threads, healing=peer.healing)

    def _open_same_weights(
        self, quantisation: Quantisation, engine: Engine, threads: int, *, healing: bool
    ) -> None:
        filler = engine.filler
        assert isinstance(filler, EmbeddedFiller)
        published = ensure_files(self._listener, form=form_on_cpu()).gguf
        path = quantised_file(published, quantisation, self._listener)
        name = f"llama.cpp {quantisation}{'' if healing else ', no healing'}"
        (self.quantisations if healing else self.unhealed)[name] = quantisation
        about = f"the same weights and prompt, threads: {threads}, greedy, its prompt cache on"
        prompt_of = partial(own_tokens, filler.loaded.tokenizer, healing=healing)
        self._add(lambda: load_llama_cpp(path, prompt_of, threads, name, about, self._listener))

    def _add(self, load: Callable[[], Writer]) -> None:
        started = perf_counter()
        writer = load()
        self.writers.append(writer)
        self.loads[writer.name] = perf_counter() - started

    def _free_name(self, name: str) -> str:
        taken = sum(writer.name.split(" #")[0] == name for writer in self.writers)
        return f"{name} #{taken + 1}" if taken else name


def _threads() -> int:
    """As many as our own engine computes with."""
    return torch.get_num_threads() if native_library() is None else usable_threads()
