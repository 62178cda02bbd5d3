"""``midfill calibrate``: from records to a file, tables and pictures."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from typer.testing import CliRunner

from midfill.inference.calibration_file import read_calibration
from midfill.inference.errors import MidfillError, UsageError
from midfill.inference.evaluation.errors import CalibrationImpossible, RecordDamaged
from midfill.inference.evaluation.problems import Filled, HoleKind, Problem
from midfill.inference.evaluation.record import Record
from midfill.inference.evaluation.rows import Row, judge
from midfill.lsp.cli import app

if TYPE_CHECKING:
    from pathlib import Path

    from typer.testing import Result

KINDS = tuple(HoleKind)
FIGURES = ("confidence_precision.png", "confidence_reliability.png")


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["calibrate", *map(str, arguments)])


def row(number: int, draw: np.random.Generator, right: bool | None = None) -> Row:
    """A row as `midfill eval` writes it, right as often as the product of its probabilities."""
    tokens = [float(value) for value in -draw.exponential(0.4, draw.integers(1, 9))]
    if right is None:
        right = bool(draw.random() < np.exp(sum(tokens)))
    kind = KINDS[number % len(KINDS)]
    problem = Problem(f"p{number}", f"t{number // 2}", "a\n", "b = 1\n", "", kind)
    text = "b = 1" if right else "b = 2"
    filled = Filled(text, len(tokens), 2, 10.0, tuple(tokens), "line-end")
    return Row(
        problem.name,
        problem.task,
        kind.value,
        "python",
        {"midfill": judge(problem, filled, None)},
    )


def record(path: Path, rows: int, seed: int = 0, right: bool | None = None, **run: object) -> Path:
    """Write a record, of a run that has other problems besides."""
    draw = np.random.default_rng(seed)
    about: dict[str, Any] = {"suite": "self", "model": "embedded", "seed": seed, "problems": 9999}
    written = Record(path, about | run, restart_if_complete=False)
    for number in range(rows):
        written.append(row(number, draw, right))
    written.close()
    return path


def test_a_calibration_is_fitted_measured_drawn_and_written(tmp_path: Path) -> None:
    out, plots = tmp_path / "new" / "confidence.json", tmp_path / "docs"
    first, second = (record(tmp_path / f"{n}.jsonl", 150, n) for n in (1, 2))
    unseen = record(tmp_path / "unseen.jsonl", 40, 3, suite="humaneval-single-line")

    done = run(first, second, "--test", unseen, "--out", out, "--plots", plots)

    assert done.exit_code == 0, done.exception
    assert "Fitted on 300 fills" in done.stdout
    for words in (
        "| cross-validated | 300 |",
        "| cross-validated, one line | ",
        "| humaneval-single-line, not fitted on | 40 |",
        "| calibrated |",
        "| geometric mean |",
        "| difference |",
        "| threshold | shown | right of the shown | right ones kept |",
    ):
        assert words in done.stdout
    assert read_calibration(out).coefficients["product"] > 0
    about = json.loads(out.read_text())["fitted_on"]
    assert about["fills"] == 300
    assert [made["seed"] for made in about["runs"]] == [1, 2]
    assert sorted(path.name for path in plots.iterdir()) == list(FIGURES)
    for name in FIGURES:
        assert (plots / name).read_bytes().startswith(b"\x89PNG")
        assert f"written: {plots / name}" in done.stderr


def test_without_places_to_write_to_only_the_tables_come(tmp_path: Path) -> None:
    one = record(tmp_path / "one.jsonl", 100)
    done = run(one)
    assert done.exit_code == 0
    assert done.stderr == ""
    assert [path.name for path in tmp_path.iterdir()] == ["one.jsonl"]


def test_the_same_record_makes_the_same_calibration(tmp_path: Path) -> None:
    one = record(tmp_path / "one.jsonl", 100)
    made = [run(one, "--out", tmp_path / name).stdout for name in ("a", "b")]
    assert made[0] == made[1]
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_an_interrupted_record_can_be_fitted_on(tmp_path: Path) -> None:
    one = record(tmp_path / "one.jsonl", 100)
    with one.open("a") as file:
        file.write('{"name": "p100", "ta')
    assert "Fitted on 100 fills" in run(one).stdout


def test_fills_that_show_nothing_are_left_out(tmp_path: Path) -> None:
    one = record(tmp_path / "one.jsonl", 100)
    lines = one.read_text().splitlines()
    empty = json.loads(lines[1])
    empty["arms"]["midfill"] |= {"text": "  ", "exact": False}
    lines[1] = json.dumps(empty)
    one.write_text("\n".join(lines) + "\n")
    said = run(one).stdout
    assert "Fitted on 99 fills" in said
    assert "1 that show nothing" in said


def refused(kind: type[MidfillError], words: str, *arguments: object) -> None:
    error = run(*arguments).exception
    assert isinstance(error, kind), error
    assert words in str(error)
    assert "\n" not in str(error)


def test_a_missing_record_is_said(tmp_path: Path) -> None:
    refused(RecordDamaged, "No such file", tmp_path / "none.jsonl")


@pytest.mark.parametrize(
    "content", ["", "hello\n", "[]\n", '{"run": 1}\n', '{"run": {}}\n{"name": 1}\n']
)
def test_a_file_that_is_no_record_is_said(tmp_path: Path, content: str) -> None:
    (tmp_path / "r.jsonl").write_text(content)
    refused(RecordDamaged, "is no intact record of an evaluation", tmp_path / "r.jsonl")


@pytest.mark.parametrize(
    "change",
    [
        {"log_probabilities": []},
        {"log_probabilities": [0.5]},
        {"log_probabilities": ["sure"]},
        {"log_probabilities": [float("nan")]},
        {"log_probabilities": None},
        {"stop": "whim"},
        {"exact": "yes"},
        {"text": None},
    ],
)
def test_a_record_that_lacks_what_is_fitted_on_is_said(
    tmp_path: Path, change: dict[str, object]
) -> None:
    one = record(tmp_path / "one.jsonl", 60)
    lines = one.read_text().splitlines()
    damaged = json.loads(lines[7])
    damaged["arms"]["midfill"] |= change
    lines[7] = json.dumps(damaged)
    one.write_text("\n".join(lines) + "\n")
    refused(RecordDamaged, "lacks what is fitted on", one)


def test_a_record_without_our_own_fills_is_said(tmp_path: Path) -> None:
    path = tmp_path / "other.jsonl"
    about = json.dumps({"run": {"model": "embedded"}})
    one = {"name": "p", "task": "t", "kind": "line", "language": "", "arms": {"other": {}}}
    path.write_text(f"{about}\n{json.dumps(one)}\n")
    refused(RecordDamaged, "lacks what is fitted on", path)


def test_too_few_rows_are_refused_and_nothing_is_written(tmp_path: Path) -> None:
    few, out = record(tmp_path / "few.jsonl", 49), tmp_path / "confidence.json"
    refused(CalibrationImpossible, "49 fills", few, "--out", out)
    assert not out.exists()


@pytest.mark.parametrize(("right", "word"), [(True, "right"), (False, "wrong")])
def test_rows_all_alike_are_refused(tmp_path: Path, right: bool, word: str) -> None:
    one = record(tmp_path / "one.jsonl", 60, right=right)
    refused(CalibrationImpossible, f"all 60 fills are {word}", one)


def test_a_test_record_without_rows_is_refused(tmp_path: Path) -> None:
    one, none = record(tmp_path / "one.jsonl", 60), record(tmp_path / "none.jsonl", 0)
    refused(CalibrationImpossible, "has no fill", one, "--test", none)


def test_records_of_several_models_are_refused(tmp_path: Path) -> None:
    one = record(tmp_path / "one.jsonl", 60)
    other = record(tmp_path / "other.jsonl", 60, model="some/model")
    refused(UsageError, "several models: embedded, some/model", one, other)


def test_a_place_that_cannot_be_written_to_is_said(tmp_path: Path) -> None:
    one = record(tmp_path / "one.jsonl", 60)
    refused(MidfillError, "", one, "--out", one / "confidence.json")
    refused(MidfillError, "cannot be written", one, "--out", tmp_path)
