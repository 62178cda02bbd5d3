"""The engine on a GPU: the fills of the CPU, memory given back, and memory that runs out."""

from __future__ import annotations

import gc
import json
from typing import TYPE_CHECKING

import pytest
import torch
from tiny_absorbing import MODELS
from tiny_autoregressive import write_autoregressive
from tiny_diffusion_gemma import write_tiny
from typer.testing import CliRunner

from midfill.inference.engine import Engine
from midfill.inference.errors import OutOfMemory
from midfill.inference.measuring import places
from midfill.inference.wire import Extent, Final, InfillRequest, Limits
from midfill.lsp.cli import app

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from midfill.inference.fillers.filler import Run
    from midfill.inference.wire import Draft

PREFIX = "def total(values):\n    retu"
SUFFIX = "\n\n\ndef other():\n    return 1\n"


def request(prefix: str = PREFIX) -> InfillRequest:
    return InfillRequest(prefix=prefix, suffix=SUFFIX, limits=Limits(tokens=24))


def filled(engine: Engine, asked: InfillRequest) -> Final:
    *_, final = engine.infill(asked)
    assert isinstance(final, Final)
    return final


@pytest.mark.parametrize("name", list(MODELS))
@pytest.mark.parametrize("caching", ["none", "prefix", "dual"])
def test_fills_are_those_of_the_cpu(
    cuda: torch.device, tmp_path: Path, name: str, caching: str
) -> None:
    folder = MODELS[name].write(tmp_path)
    engines = [Engine(f"{folder},weights=float32,cache={caching}", d) for d in ("cpu", "cuda")]

    for prefix in (PREFIX, f"import os\n\n\n{PREFIX}", "x = "):
        on_cpu, on_gpu = (filled(engine, request(prefix)) for engine in engines)
        again = filled(engines[1], request(prefix))
        assert on_gpu.text == again.text == on_cpu.text
        assert on_gpu.log_probabilities == pytest.approx(on_cpu.log_probabilities, abs=1e-3)


def test_memory_comes_back_when_a_model_is_unloaded(cuda: torch.device, tmp_path: Path) -> None:
    folders = [MODELS["Dream"].write(tmp_path / "dream"), write_tiny(tmp_path / "gemma")]
    for folder in folders:
        gc.collect()
        torch.cuda.empty_cache()
        before = torch.cuda.memory_allocated(cuda), torch.cuda.memory_reserved(cuda)
        engine = Engine(f"{folder},weights=float32", "cuda")
        for prefix in (PREFIX, "import os\n" * 80 + PREFIX):
            filled(engine, request(prefix))
        assert torch.cuda.memory_allocated(cuda) > before[0]

        engine.unload()

        assert torch.cuda.memory_allocated(cuda) <= before[0] + 32 * 2**20  # cuBLAS's own
        assert torch.cuda.memory_reserved(cuda) <= before[1] + 64 * 2**20


class Hungry:
    """Has a fill take memory on the card, as much as the canvas is long, until it fits."""

    def __init__(self, engine: Engine, monkeypatch: pytest.MonkeyPatch, slot_bytes: int) -> None:
        self.canvases: list[int] = []
        self.forgotten = 0
        filler = engine.filler
        fill, forget = type(filler).fill, type(filler).forget

        def hungry(asked: InfillRequest, run: Run) -> Iterator[Draft | Final]:
            canvas: int = filler._options.canvas  # type: ignore[attr-defined]
            self.canvases.append(canvas)
            taken = torch.empty(slot_bytes * canvas, dtype=torch.uint8, device="cuda")
            yield from fill(filler, asked, run)  # type: ignore[arg-type]
            del taken

        def forgets() -> None:
            self.forgotten += 1
            forget(filler)  # type: ignore[arg-type]

        monkeypatch.setattr(filler, "fill", hungry)
        monkeypatch.setattr(filler, "forget", forgets)


def bounded(device: torch.device, room: int) -> None:
    """Let this process have so many more bytes of the card."""
    torch.cuda.empty_cache()
    total = torch.cuda.get_device_properties(device).total_memory
    used = torch.cuda.memory_reserved(device)
    torch.cuda.set_per_process_memory_fraction(min(1.0, (used + room) / total), device)


def test_a_lack_of_memory_drops_caches_then_takes_a_smaller_canvas(
    cuda: torch.device, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = MODELS["Dream"].write(tmp_path)
    engine = Engine(f"{folder},weights=float32,canvas=256", "cuda")
    filled(engine, request())
    hungry = Hungry(engine, monkeypatch, slot_bytes=2**20)
    bounded(cuda, room=160 * 2**20)  # 128 slots fit, 256 do not

    assert filled(engine, request()).tokens > 0

    assert hungry.canvases == [256, 256, 128]
    assert hungry.forgotten == 2


def test_where_no_canvas_fits_there_is_one_clear_error_and_the_engine_lives_on(
    cuda: torch.device, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = MODELS["Dream"].write(tmp_path)
    engine = Engine(f"{folder},weights=float32,canvas=64", "cuda")
    wanted = filled(engine, request()).text
    with monkeypatch.context() as patch:
        hungry = Hungry(engine, patch, slot_bytes=2**24)
        bounded(cuda, room=160 * 2**20)
        with pytest.raises(OutOfMemory) as caught:
            filled(engine, request())
        assert isinstance(caught.value.__cause__, torch.cuda.OutOfMemoryError)
        assert hungry.canvases == [64, 64, 32]
        assert "\n" not in str(caught.value)
    torch.cuda.set_per_process_memory_fraction(1.0, cuda)

    assert filled(engine, request()).text == wanted


def test_the_benchmark_fills_every_column(
    cuda: torch.device, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(places, "MODULES", ("textwrap",))
    monkeypatch.setattr(places, "TOKENS", {Extent.LINE: 16, Extent.BLOCK: 24})
    gemma, against = write_tiny(tmp_path / "gemma"), write_autoregressive(tmp_path / "ar")
    arguments = ["bench", "--model", f"{gemma},weights=float32", "--device", "cuda"]
    arguments += ["--against", f"{against},weights=float32", "--repeat", "1"]

    told = CliRunner().invoke(app, [*arguments, "--json"])
    assert told.exit_code == 0, told.exception
    report = json.loads(told.stdout)

    assert report["machine"]["capability"]
    assert report["machine"]["device_name"] == torch.cuda.get_device_name(cuda)
    assert len(report["contenders"]) == 3
    for contender in report["contenders"]:
        assert not contender["failure"]
        assert contender["peak_bytes"] > 0
        for kind in ("line", "block"):
            figures = contender["kinds"][kind]
            assert figures["cold_ms"]["n"] == figures["warm_ms"]["n"] == 1
    assert len(report["ratios"]) == 4
    assert all(not one["skipped"] and one["step_ms"] for one in report["canvases"])

    shown = CliRunner().invoke(app, arguments)
    for heading in ("cold ms", "warm ms", "step ms", "tokens/s warm", "MB more at the peak"):
        assert heading in shown.stdout
