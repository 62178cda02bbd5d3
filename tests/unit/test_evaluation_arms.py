"""The arms with the real model, and the command from end to end."""

from __future__ import annotations

import gzip
import json
import os
from typing import TYPE_CHECKING

import pytest
import typer
from typer.testing import CliRunner

from midfill.inference.errors import UsageError
from midfill.inference.evaluation.arms.asking import request_of
from midfill.inference.evaluation.arms.greedy_text import GreedyText
from midfill.inference.evaluation.arms.prefix_suffix_middle import PrefixSuffixMiddle
from midfill.inference.evaluation.evaluate import arms_of
from midfill.inference.evaluation.problems import HoleKind, Problem
from midfill.inference.evaluation.rows import make_row
from midfill.inference.evaluation.sandbox.isolation import NoIsolation, open_sandbox
from midfill.inference.fillers.embedded import EmbeddedFiller
from midfill.inference.wire import Extent
from midfill.lsp.eval_command import eval_suite

if TYPE_CHECKING:
    from pathlib import Path

    from midfill.inference.engine import Engine
    from midfill.inference.evaluation.sandbox.runner import Sandbox

PROMPT = 'def total(numbers):\n    """The sum of a list of numbers."""\n    result = 0\n'
SUFFIX = "        result += number\n    return result\n"
GOLD = "    for number in numbers:\n"
TEST = "def check(candidate):\n    assert candidate([1, 2]) == 3\n"
LINE = Problem("p", "t", PROMPT, GOLD, SUFFIX, HoleKind.LINE, test=f"{TEST}\ncheck(total)")


def sandbox() -> Sandbox:
    try:
        return open_sandbox()
    except NoIsolation as error:
        pytest.skip(str(error))


def test_a_whole_line_is_asked_for_as_on_a_blank_line_in_an_editor() -> None:
    request = request_of(LINE)

    assert (request.prefix, request.suffix) == (PROMPT, "\n" + SUFFIX)
    assert (request.hole.start, request.hole.end) == (len(PROMPT), len(PROMPT))
    assert request.hole.extent is Extent.LINE


def test_a_span_is_asked_for_without_giving_its_content_away() -> None:
    span = Problem("p", "t", "x = f(a", ",\n  b", ")\n", HoleKind.SPAN)

    request = request_of(span)

    text, hole = request.prefix + request.suffix, request.hole
    assert (text[: hole.start], text[hole.end :]) == ("x = f(a", ")\n")
    assert text[hole.start : hole.end] == "_"
    assert hole.extent is Extent.LINES


def test_one_row_is_filled_by_all_arms_and_run(engine: Engine) -> None:
    row = make_row(LINE, arms_of(engine, baselines=True), sandbox())

    assert list(row.arms) == ["midfill", "oracle length", "left to right", "prefix-suffix-middle"]
    for name in ("midfill", "oracle length"):
        arm = row.arms[name]
        assert arm["text"].rstrip("\n") == GOLD.rstrip("\n")
        assert arm["exact"]
        assert arm["passed"]
        assert arm["steps"] <= arm["tokens"]
        assert arm["min_log_probability"] <= arm["mean_log_probability"] <= 0
        assert 1 <= len(arm["log_probabilities"]) <= arm["tokens"]
        assert len(arm["accepted"]) == arm["steps"] - 1


def test_greedy_text_is_the_same_however_far_it_is_written(engine: Engine) -> None:
    filler = engine.filler
    assert isinstance(filler, EmbeddedFiller)
    loaded = filler.loaded
    prompt = loaded.tokenizer.encode(PROMPT)

    text, other = GreedyText(loaded, prompt), GreedyText(loaded, prompt)
    text.reach(6)

    assert [other.text(n) for n in range(1, 7)] == [text.text(n) for n in range(1, 7)]
    assert other.filled(3, "", "x").tokens == 3
    assert other.filled(3, "", "x").steps <= other.filled(6, "", "x").steps


def test_a_baseline_may_be_asked_about_an_empty_text(engine: Engine) -> None:
    problem = Problem("p", "t", "", "x\n", "", HoleKind.LINE)
    *_, left_to_right, fim = arms_of(engine, baselines=True)
    assert isinstance(fim, PrefixSuffixMiddle)

    assert "\n" not in left_to_right.fill(problem).text


app = typer.Typer()
app.command()(eval_suite)


def run(*arguments: str) -> str:
    result = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert result.exit_code == 0
    return result.stdout


@pytest.fixture
def published(tmp_path: Path) -> Path:
    row = {
        "task_id": "SingleLineInfilling/HumanEval/0/L0",
        "entry_point": "total",
        "prompt": PROMPT,
        "suffix": SUFFIX,
        "canonical_solution": GOLD,
        "test": TEST,
    }
    path = tmp_path / "HumanEval-SingleLineInfilling.jsonl.gz"
    path.write_bytes(gzip.compress(json.dumps(row).encode() + b"\n"))
    return tmp_path


def test_the_command_reports_and_keeps_every_row(
    published: Path, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    sandbox()
    monkeypatch.setattr("midfill.inference.engine.Engine", lambda *model: engine)
    out = published / "run.jsonl"
    call = ("humaneval-single-line", "--data", str(published), "--out", str(out), "--json")

    first = json.loads(run(*call))

    assert first["arms"]["midfill"]["passed"]["rows"]["value"] == 1
    assert first["arms"]["midfill"]["exact"]["tasks"]["value"] == 1
    assert len(out.read_text().splitlines()) == 2
    monkeypatch.setattr(type(engine), "load", None)  # nothing is left to be filled
    assert json.loads(run(*call)) == first


def test_wrong_calls_are_refused_before_a_model_is_loaded(published: Path) -> None:
    for call, message in (
        (("nothing",), "there is no suite 'nothing'"),
        (("self", "--model", "x"), "there is no model 'x'"),
        (("humaneval-random-span-light",), "name the folder"),
    ):
        with pytest.raises(UsageError, match=message):
            run(*call)


def test_without_isolation_nothing_is_run_unless_asked_for(
    published: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = "midfill.inference.evaluation.sandbox.isolation"
    monkeypatch.setattr(f"{module}.working_mechanisms", lambda: ())

    with pytest.raises(NoIsolation, match="--without-sandbox"):
        run("humaneval-single-line", "--data", str(published))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs processes")
def test_without_a_sandbox_limits_still_hold() -> None:
    from midfill.inference.evaluation.sandbox.isolation import open_without

    assert open_without().mechanisms == ()
    assert open_without().run("assert 1 == 1").passed
    assert open_without().run("x = bytearray(2**30)").detail == "MemoryError"
