"""`midfill bench`, from a model's name to tables and JSON."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import torch
from tiny_absorbing import dream
from tiny_autoregressive import write_autoregressive
from tiny_diffusion_gemma import write_tiny
from typer.testing import CliRunner

from midfill.inference.engine import Engine
from midfill.inference.errors import MidfillError, UsageError
from midfill.inference.fillers.diffusion_gemma import DiffusionGemmaFiller
from midfill.inference.measuring import canvases, places
from midfill.inference.measuring.canvases import measure_canvases
from midfill.inference.measuring.compiling import compile_layers
from midfill.inference.measuring.generate import Generate
from midfill.inference.progress import nobody_listens
from midfill.inference.wire import Extent, Final
from midfill.lsp.cli import app

if TYPE_CHECKING:
    from pathlib import Path

    from typer.testing import Result

pytestmark = pytest.mark.usefixtures("one_thread")

SMALL = ",weights=float32,prefix-tokens=32,suffix-tokens=16,canvas=32"
KINDS = ("line", "block")
LENGTHS = (32, 64)


@pytest.fixture(autouse=True)
def one_module(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places, "MODULES", ("textwrap",))
    monkeypatch.setattr(canvases, "CANVAS_LENGTHS", LENGTHS)
    monkeypatch.setattr(places, "TOKENS", {Extent.LINE: 6, Extent.BLOCK: 8})


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    root = tmp_path_factory.mktemp("models")
    return {
        "in place": f"{dream().write(root / 'dream')}{SMALL}",
        "gemma": f"{write_tiny(root / 'gemma')}{SMALL},steps=4",
        "against": f"{write_autoregressive(root / 'ar')},weights=float32,prefix-tokens=32",
    }


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["bench", *map(str, arguments)])


def printed(*arguments: object) -> dict[str, Any]:
    result = run(*arguments, "--json")
    assert result.exit_code == 0, result.exception
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def test_a_model_is_measured_next_to_another(folders: dict[str, str]) -> None:
    report = printed("--model", folders["in place"], "--against", folders["against"], "--repeat", 2)

    ours, other = report["contenders"]
    assert (ours["name"], other["name"]) == ("midfill", folders["against"])
    assert ours["load_s"] > 0 < other["load_s"]
    for kind in KINDS:
        own, theirs = ours["kinds"][kind], other["kinds"][kind]
        for figures in (own, theirs):
            assert figures["cold_ms"]["n"] == figures["warm_ms"]["n"] == 2
            for spread in filter(None, figures.values()):
                assert 0 < spread["least"] <= spread["p50"] <= spread["p95"] <= spread["most"]
        assert own["tokens"] == theirs["tokens"]
        assert theirs["steps"] == theirs["tokens"]
    assert [(ratio["other"], ratio["kind"]) for ratio in report["ratios"]] == [
        (folders["against"], kind) for kind in KINDS
    ]
    assert [one["canvas"] for one in report["canvases"]] == list(LENGTHS)
    for one in report["canvases"]:
        assert one["whole"]
        assert one["tokens"]["p50"] == one["canvas"]
        assert one["step_ms"]["n"] == 2 * (one["canvas"] - 2)
    machine = report["machine"]
    assert (machine["device"], machine["torch"]) == ("cpu", str(torch.__version__))
    assert machine["capability"] is None
    assert machine["threads"] > 0


def test_diffusion_gemma_is_measured_next_to_its_own_loop(folders: dict[str, str]) -> None:
    report = printed("--model", folders["gemma"], "--repeat", 1)

    names = [contender["name"] for contender in report["contenders"]]
    assert names == ["midfill", "model.generate()"]
    loop = report["contenders"][1]
    assert loop["load_s"] is None
    assert not loop["failure"]
    for kind in KINDS:
        figures = loop["kinds"][kind]
        assert figures["steps"]["most"] == 4
        assert figures["tokens"]["p50"] == 32
    assert len(report["ratios"]) == 2


def test_tables_have_every_figure(folders: dict[str, str]) -> None:
    result = run("--model", folders["in place"], "--against", folders["against"], "--repeat", 1)

    assert result.exit_code == 0
    for heading in (
        *("cold ms", "warm ms", "tokens/s cold", "tokens/s warm"),
        *("step ms", "steps", "tokens a step", "load s", "MB when loaded", "MB more at the peak"),
        *("canvas", "fill ms", "time of the others / time of midfill"),
    ):
        assert heading in result.stdout
    assert f"torch {torch.__version__}" in " ".join(result.stdout.split())
    assert "line holes: textwrap.py:" in result.stdout
    assert "measuring" in result.stderr


def test_there_is_one_line_about_a_device_that_is_not_here(folders: dict[str, str]) -> None:
    if torch.cuda.is_available():
        pytest.skip("there is CUDA here")
    error = run("--model", folders["in place"], "--device", "cuda").exception

    assert isinstance(error, UsageError)
    assert "no device 'cuda'" in str(error)
    assert "\n" not in str(error)


def test_what_cannot_be_compared_with_is_said_before_anything_is_loaded(
    folders: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Engine, "load", lambda *_: pytest.fail("a model was loaded"))

    error = run("--model", folders["in place"], "--against", "embedded").exception

    assert isinstance(error, UsageError)


def test_one_that_fails_while_it_is_measured_is_left_out(
    folders: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise MidfillError("it broke")

    monkeypatch.setattr(Generate, "fill", fail)
    report = printed("--model", folders["gemma"], "--repeat", 1)

    ours, loop = report["contenders"]
    assert loop["failure"] == "it broke"
    assert loop["kinds"]["line"]["cold_ms"] is None
    assert ours["kinds"]["line"]["cold_ms"]["n"] == 1
    assert report["ratios"] == []
    assert "it broke" in run("--model", folders["gemma"], "--repeat", 1).stdout


def gemma(name: str) -> tuple[Engine, Generate]:
    engine = Engine(name)
    engine.load()
    filler = engine.filler
    assert isinstance(filler, DiffusionGemmaFiller)
    return engine, Generate(filler)


def test_its_own_loop_writes_the_same_whether_its_cache_is_used_or_not(
    folders: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, loop = gemma(folders["gemma"])
    assert isinstance(engine.filler, DiffusionGemmaFiller)
    network = engine.filler._model.network
    wrote: list[list[int]] = []
    read: list[int] = []
    generate = network.generate

    def listening(ids: torch.Tensor, **settings: Any) -> Any:  # noqa: ANN401
        output = generate(ids, **settings)
        read.append(ids.shape[1])
        wrote.append(output.sequences[0, ids.shape[1] :].tolist())
        return output

    monkeypatch.setattr(network, "generate", listening)
    (place,) = places.places(Extent.LINE)
    loop.fill(place.request(1, typed=1), 40)
    loop.forget()
    loop.fill(place.request(1), 40)
    loop.fill(place.request(1, typed=1), 40)

    assert wrote[0] == wrote[2] != wrote[1]
    assert len(wrote[0]) == 64  # two canvases of 32 for 40 tokens
    assert read[2] < read[0] / 2
    assert network.config.canvas_length == 16


def test_canvases_that_do_not_fit_are_skipped_and_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(canvases, "CANVAS_LENGTHS", (32, 256))
    folder = dream().with_config(max_position_embeddings=200).write(tmp_path / "short")
    engine = Engine(f"{folder}{SMALL}")
    engine.load()
    filler = engine.filler

    fits, does_not = measure_canvases(engine, places.places(Extent.BLOCK)[0], 1, nobody_listens)

    assert (fits.skipped, fits.canvas) == ("", 32)
    assert does_not.canvas == 256
    assert "room for 200 tokens" in does_not.skipped
    assert does_not.step_ms is None
    assert engine.filler is filler


def test_a_canvas_without_memory_for_it_is_skipped(
    folders: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = Engine(folders["in place"])
    engine.load()

    def fill(*_: object) -> None:
        raise torch.OutOfMemoryError("none left")

    monkeypatch.setattr(type(engine.filler), "fill", fill)
    found = measure_canvases(engine, places.places(Extent.BLOCK)[0], 1, nobody_listens)

    assert [one.skipped for one in found] == ["not enough memory"] * 2


def test_a_model_without_options_has_no_canvas_lengths() -> None:
    class Plain(Engine):
        def filling_with(self, options: object) -> Any:  # noqa: ANN401
            raise UsageError("the embedded model takes no options")

    (place,) = places.places(Extent.BLOCK)
    (only,) = measure_canvases(Plain(), place, 1, nobody_listens)

    assert only.canvas is None
    assert "no options" in only.skipped


@pytest.mark.parametrize("which", ["in place", "gemma"])
def test_layers_can_be_compiled(
    folders: dict[str, str], which: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (place,) = places.places(Extent.LINE)
    engine = Engine(folders[which])
    engine.load()

    def filled() -> Final:
        *_, final = engine.infill(place.request(1))
        assert isinstance(final, Final)
        return final

    plain = filled()
    compiled: list[int] = []
    monkeypatch.setattr(
        torch.nn.Module,
        "compile",
        lambda module, **_: (
            compiled.append(1),
            setattr(
                module, "_compiled_call_impl", torch.compile(module._call_impl, backend="eager")
            ),
        ),
    )
    assert compile_layers(engine) == len(compiled) > 1

    assert filled().text == plain.text


def test_the_embedded_model_has_no_layers_to_compile() -> None:
    with pytest.raises(UsageError, match="no layers to compile"):
        compile_layers(Engine())
