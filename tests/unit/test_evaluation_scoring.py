"""Scores, intervals, records and reports: functions of values."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from midfill.inference.errors import UsageError
from midfill.inference.evaluation.edit_similarity import edit_similarity
from midfill.inference.evaluation.errors import RecordDamaged
from midfill.inference.evaluation.evaluate import Advance, evaluate
from midfill.inference.evaluation.exact_match import exact_match
from midfill.inference.evaluation.intervals import row_mean, task_mean
from midfill.inference.evaluation.problems import Filled, HoleKind, Problem
from midfill.inference.evaluation.progress_line import progress_line
from midfill.inference.evaluation.record import Record
from midfill.inference.evaluation.report import acceptance_by_distance, report
from midfill.inference.evaluation.rows import Row, judge, make_row
from midfill.inference.evaluation.sandbox.runner import Outcome, Sandbox, Verdict
from midfill.inference.evaluation.table import tables

if TYPE_CHECKING:
    from pathlib import Path

RUN = {"suite": "humaneval-single-line", "model": "embedded", "seed": 0, "problems": 3}


@pytest.mark.parametrize(
    ("completion", "gold", "one_line", "same"),
    [
        ("    x = 1\n", "    x = 1\n", True, True),
        ("x = 1", "    x = 1\n", True, True),
        ("x = 1\ny = 2", "x = 1\n", True, True),
        ("\nx = 1\n", "x = 1\n", True, True),
        (" \nx = 1\n", "x = 1\n", True, True),
        ("\n\nx = 1\n", "x = 1\n", True, False),
        ("x = 2", "x = 1", True, False),
        ("", "x = 1", True, False),
        ("x = 1\ny = 2", "x = 1", False, False),
        ("\n x\n  y\n", "x\n  y", False, True),
    ],
)
def test_exact_match_looks_at_the_first_line(
    completion: str, gold: str, one_line: bool, same: bool
) -> None:
    assert exact_match(completion, gold, one_line=one_line) is same


@pytest.mark.parametrize(
    ("one", "other", "similarity"),
    [("", "", 1), ("abc", "abc", 1), ("abc", "", 0), ("kitten", "sitting", 1 - 3 / 7)],
)
def test_edit_similarity(one: str, other: str, similarity: float) -> None:
    assert edit_similarity(one, other) == pytest.approx(similarity)


@given(st.text(max_size=12), st.text(max_size=12))
def test_edit_similarity_has_no_direction(one: str, other: str) -> None:
    assert edit_similarity(one, other) == edit_similarity(other, one)
    assert 0 <= edit_similarity(one, other) <= 1


def test_rows_and_tasks_are_averaged_apart() -> None:
    values, tasks = [1, 1, 1, 0], ["a", "a", "a", "b"]

    assert row_mean(values, tasks, 0).value == 0.75
    assert task_mean(values, tasks, 0).value == 0.5


def test_an_interval_is_the_same_for_the_same_seed_and_holds_the_mean() -> None:
    values = [float(n % 3 == 0) for n in range(90)]
    tasks = [str(n // 3) for n in range(90)]

    estimate = row_mean(values, [str(n) for n in range(90)], 7)

    assert estimate == row_mean(values, [str(n) for n in range(90)], 7)
    assert estimate.low < estimate.value < estimate.high
    assert estimate.high - estimate.low == pytest.approx(2 * 1.96 * (2 / 9 / 90) ** 0.5, rel=0.15)
    # every task has one of three: drawing tasks anew changes nothing
    clustered = row_mean(values, tasks, 7)
    assert (clustered.low, clustered.high) == pytest.approx((1 / 3, 1 / 3))


def problem(number: int) -> Problem:
    return Problem(f"p{number}", f"t{number}", "a\n", "b = 1\n", "", HoleKind.LINE)


class Fixed:
    """An arm that always writes the same; it breaks after some problems, if it is to."""

    def __init__(self, name: str, text: str, breaks_after: int = 99) -> None:
        self.name, self.text, self.left = name, text, breaks_after
        self.asked: list[str] = []

    def fill(self, problem: Problem) -> Filled:
        if len(self.asked) == self.left:
            raise KeyboardInterrupt
        self.asked.append(problem.name)
        return Filled(self.text, 4, 2, 10.0, (-0.5, -1.5), "line-end", (2, 0))


def test_a_row_holds_what_calibration_is_fitted_on() -> None:
    verdict = Verdict(Outcome.FAILED, "NameError")

    figures = judge(problem(1), Fixed("midfill", "b = 1").fill(problem(1)), verdict)

    assert figures["exact"] is True
    assert (figures["mean_log_probability"], figures["min_log_probability"]) == (-1.0, -1.5)
    assert figures["log_probabilities"] == [-0.5, -1.5]
    assert (figures["tokens"], figures["stop"]) == (4, "line-end")
    assert (figures["passed"], figures["outcome"]) == (False, "failed")


def test_equal_programs_run_once(monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[str] = []

    def run(self: Sandbox, program: str) -> Verdict:
        ran.append(program)
        return Verdict(Outcome.PASSED)

    monkeypatch.setattr(Sandbox, "run", run)

    row = make_row(problem(1), [Fixed("midfill", "b = 1"), Fixed("other", "b = 1")], Sandbox(()))

    assert ran == ["a\nb = 1\n\n"]
    assert all(arm["passed"] for arm in row.arms.values())


def nothing(advance: Advance) -> None:
    pass


def test_a_run_that_breaks_off_goes_on_where_it_was(tmp_path: Path) -> None:
    problems, path = [problem(number) for number in range(3)], tmp_path / "new" / "run.jsonl"
    with pytest.raises(KeyboardInterrupt):
        evaluate(
            problems,
            [Fixed("midfill", "x", breaks_after=2)],
            None,
            Record(path, RUN, restart_if_complete=True),
            nothing,
        )
    with path.open("a") as file:
        file.write('{"name": "p2", "ta')  # and it was killed while writing

    again = Fixed("midfill", "x")
    record = Record(path, RUN, restart_if_complete=True)
    rows = evaluate(problems, [again], None, record, nothing)

    assert again.asked == ["p2"]
    assert [row.name for row in rows] == ["p0", "p1", "p2"]
    assert len([json.loads(line) for line in path.read_text().splitlines()]) == 4
    record.close()
    assert len(Record(path, RUN, restart_if_complete=False).rows) == 3
    assert len(Record(path, RUN, restart_if_complete=True).rows) == 0


def test_the_record_of_another_run_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    Record(path, RUN, restart_if_complete=False).close()
    before = path.read_bytes()

    with pytest.raises(UsageError, match=r"another run; name another file with --out$"):
        Record(path, {**RUN, "seed": 1}, restart_if_complete=False)
    assert path.read_bytes() == before


@pytest.mark.parametrize("content", ["hello\n", "[]\n", '{"run": 1}\n[]\n', '{"a": 1}\n'])
def test_a_file_that_is_no_record_is_left_alone(tmp_path: Path, content: str) -> None:
    path = tmp_path / "run.jsonl"
    path.write_text(content)

    with pytest.raises((RecordDamaged, UsageError), match="name another file with --out"):
        Record(path, RUN, restart_if_complete=False)
    assert path.read_text() == content


def test_a_record_that_cannot_be_written_is_said_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for path in (tmp_path, tmp_path / "file" / "run.jsonl"):
        with pytest.raises(RecordDamaged, match=r"^cannot use [^\n]*$"):
            Record(path, RUN, restart_if_complete=False)


def rows() -> list[Row]:
    made = [
        make_row(problem(n), [Fixed("midfill", "b = 1"), Fixed("other", f"b = {n}")], None)
        for n in range(4)
    ]
    for row in made:
        for name, arm in row.arms.items():
            arm["passed"], arm["outcome"] = name == "midfill", "passed"  # type: ignore[index]
    return made


def test_a_report_compares_arms_row_by_row() -> None:
    made = report(RUN, rows())

    assert made["rows"] == made["tasks"] == 4
    assert made["arms"]["midfill"]["exact"]["rows"]["value"] == 1
    assert made["arms"]["other"]["exact"]["rows"]["value"] == 0.25
    assert made["differences"]["midfill - other"]["exact"]["rows"]["value"] == 0.75
    assert made["differences"]["midfill - other"]["passed"]["tasks"]["value"] == 1
    assert made["arms"]["midfill"]["tokens_per_step"] == 2
    assert made["arms"]["midfill"]["ms"] == {"p50": 10.0, "p95": 10.0}
    assert json.loads(json.dumps(made)) == made


def test_a_report_is_readable() -> None:
    console = Console(width=160, record=True)
    for table in tables(report({**RUN, "sandbox": None}, rows())):
        console.print(table)
    shown = console.export_text()

    for part in ("pass@1", "exact match", "100.0 [100.0, 100.0]", "midfill - other", "+75.0"):
        assert part in shown


def test_steps_and_tokens_a_step_come_with_their_spread() -> None:
    arm = report({**RUN, "sandbox": None}, rows())["arms"]["midfill"]
    steps, spread = arm["steps_per_fill"], arm["tokens_per_step_of_a_fill"]
    assert steps["mean"] == pytest.approx(arm["steps"] / 4)
    assert steps["p50"] <= steps["p95"]
    assert spread["p5"] <= arm["tokens_per_step"] <= spread["p95"]


def test_acceptance_by_distance_counts_runs_of_right_guesses() -> None:
    assert acceptance_by_distance([{"accepted": [2, 0]}, {"accepted": [1, 3]}]) == [0.75, 0.5, 0.25]
    assert acceptance_by_distance([{"accepted": []}]) == []


def test_progress_tells_time_left_and_scores() -> None:
    line = progress_line(Advance(rows(), 8, 3725.0))

    assert line == (
        "4 of 8, 1 h 02 min left, pass@1 100.0 %, exact match 100.0 %, edit similarity 100.0 %, "
        "2.00 tokens a step"
    )
