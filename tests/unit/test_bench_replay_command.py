"""`midfill bench` while lines are typed: wrong calls, and one short run with the real model."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from midfill.inference.engine import Engine
from midfill.inference.errors import ExcludedFile, MidfillError, UsageError
from midfill.inference.measuring.replay import bench, variants
from midfill.inference.measuring.replay.bench import Plan, bench_replay
from midfill.inference.measuring.replay.prompts import own_tokens, sides
from midfill.inference.measuring.replay.replaying import Typing
from midfill.inference.measuring.replay.sources import SourceFile
from midfill.inference.measuring.replay.typed_line import TypedLine, worth_typing
from midfill.inference.measuring.replay.variants import check_names, open_without
from midfill.inference.models.embedded.files import Form
from midfill.lsp.cli import app

if TYPE_CHECKING:
    from pathlib import Path

    from midfill.inference.models.embedded.files import EmbeddedFiles

SHORT = SourceFile(
    "short.py",
    "def area(width, height):\n    return width * height\n\n\n"
    "def perimeter(width, height):\n    return 2 * (width + height)\n",
    "python",
)


def error_of(*arguments: object) -> BaseException | None:
    return CliRunner().invoke(app, ["bench", *map(str, arguments)]).exception


@pytest.fixture
def nothing_is_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Engine, "load", lambda *_: pytest.fail("a model was loaded"))


@pytest.mark.usefixtures("nothing_is_loaded")
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--without", "luck"), "none of native, guesses, belief, lookup, prefix-cache"),
        (("--against", "nothing.gguf"), "no such file"),
        (("--against", "http://localhost:1"), "URL#MODEL"),
        (("--against", "llama.cpp", "--quantisations", "Q2_K"), "none of Q4_K_M, Q4_0, Q8_0"),
        (("--html", "no/such/folder/bench.html"), "cannot be written"),
        (("--model", "./m", "--without", "belief"), "--without belongs to the replay"),
        (("--model", "./m", "--growth"), "--growth belongs to the replay"),
        (("--against", "a/b", "--html", "x.html"), "--html belongs to the replay"),
        (("--model", "./m", "--against", "llama.cpp"), "llama.cpp belongs to the replay"),
        (("--against", "a/b", "--against", "c/d"), "takes one hub id or folder"),
    ],
)
def test_wrong_calls_are_one_line_before_anything_is_loaded(
    arguments: tuple[str, ...], said: str
) -> None:
    error = error_of(*arguments)

    assert isinstance(error, UsageError)
    assert said in str(error)
    assert "\n" not in str(error)


@pytest.mark.usefixtures("nothing_is_loaded")
def test_files_that_are_never_read_are_not_read(tmp_path: Path) -> None:
    secret = tmp_path / ".env"
    secret.write_text("PASSWORD=hunter2hunter2hunter2\n")

    error = error_of("--file", secret)

    assert isinstance(error, ExcludedFile)
    assert "hunter2" not in str(error)


@pytest.mark.usefixtures("nothing_is_loaded")
def test_files_without_code_are_refused(tmp_path: Path) -> None:
    empty = tmp_path / "empty.py"
    empty.write_text("x = 1\n")

    assert "no file has a line of code" in str(error_of("--file", empty))
    assert isinstance(error_of("--file", tmp_path / "missing.py"), MidfillError)


def test_native_kernels_cannot_be_left_out_where_there_are_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert check_names(("belief", "guesses", "belief")) == ("belief", "guesses")
    monkeypatch.setattr(variants, "form_on_cpu", lambda: Form.BFLOAT16)
    with pytest.raises(UsageError, match="no native kernels here"):
        check_names(("native",))


def line() -> TypedLine:
    return worth_typing(SHORT)[-1]


def test_others_read_what_our_own_model_reads(engine: Engine) -> None:
    tokenizer = engine.filler.loaded.tokenizer
    for typed in (0, 7, 12):
        request = line().request(typed)
        shown, text = engine.prompt(request), sides(engine, request)
        healed = own_tokens(tokenizer, request)
        tokens = own_tokens(tokenizer, request, healing=False).pieces

        assert (len(healed.pieces), healed.owed) == (shown.tokens(), shown.owed)
        assert tokens[: len(healed.pieces)] == healed.pieces
        assert len(tokens) == shown.tokens() + shown.owed_tokens
        assert b"".join(map(tokenizer.token_bytes, tokens)).decode() == text.suffix + text.prefix
        assert text.prefix == request.prefix
        assert text.suffix == request.suffix


def test_what_is_switched_off_costs_steps_or_reading_and_never_changes_the_text(
    engine: Engine,
) -> None:
    import torch

    loaded, cpu = engine.filler.loaded, torch.device("cpu")
    names = ("guesses", "belief", "prefix-cache")
    others = {name: open_without(name, loaded, cpu, lambda progress: None) for name in names}

    def ours(typed: int) -> tuple[str, int, int, int]:
        *_, final = engine.infill(line().request(typed))
        return final.text, final.tokens, final.steps, final.cache.new_tokens

    engine.forget()
    cold, warm = ours(0), ours(7)
    for name, writer in others.items():
        writer.new_document()
        first, second = (writer.write(line().request(typed)) for typed in (0, 7))

        assert (first.text, second.text) == (cold[0], warm[0])
        assert first.tokens is not None
        assert second.steps is not None
        assert second.read is not None
        if name == "guesses":
            assert first.steps == first.tokens
        if name == "belief":
            assert second.steps >= warm[2]
        if name == "prefix-cache":
            assert second.read > 20 > warm[3]
        writer.close()
    assert engine.loaded


def test_a_short_run_with_the_real_model_next_to_llama_cpp(
    embedded_files: EmbeddedFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("xllamacpp")
    monkeypatch.setattr(bench, "_threads", lambda: 1)  # its threads spin: other tests run, too
    report = bench_replay(
        Plan(files=(SHORT,), lines=1, typing=Typing(every=9, most=1), against=("llama.cpp",))
    )

    assert report.vs_llamacpp is not None  # with the same start, both wrote the same
    ours, theirs = report.writers
    assert (ours.name, theirs.name) == ("midfill", "llama.cpp Q4_K_M")
    for writer in (ours, theirs):
        assert not writer.failure
        assert writer.kinds["cold"].ms.n == writer.kinds["warm"].ms.n == 1
        assert writer.kinds["cold"].read.median > writer.kinds["warm"].read.median >= 1
    assert report.comparisons[0].all.n == 2
    assert json.loads(json.dumps(report.as_json()))["model"] == "embedded"
