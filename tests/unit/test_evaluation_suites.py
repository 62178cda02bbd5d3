"""The suites' data: read as published, cut the standard way, refused in one line when it is bad."""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path

import pytest

from midfill.inference.errors import MidfillError, UsageError
from midfill.inference.evaluation.errors import DataDamaged, DataMissing
from midfill.inference.evaluation.human_eval import (
    RANDOM_SPAN_LIGHT,
    SINGLE_LINE,
    read_suite,
    single_lines,
)
from midfill.inference.evaluation.problems import HoleKind, Problem
from midfill.inference.evaluation.sampling import spread_sample
from midfill.inference.evaluation.self_suite import cut_holes
from midfill.inference.evaluation.suites import SUITES, read_problems, suite_name
from midfill.inference.training.corpus.source_text import SourceText

PUBLISHED = Path(os.environ.get("MIDFILL_HUMANEVAL_INFILLING", "no such folder"))
"""The published files, for whoever has them; what is derived without them is tested above all."""

TASK = {
    "task_id": "HumanEval/7",
    "entry_point": "twice",
    "prompt": 'def twice(x):\n    """Double."""\n',
    "canonical_solution": "    y = x\n\n    return y + x\n",
    "test": "def check(candidate):\n    assert candidate(2) == 4\n",
}


def write_rows(folder: Path, *rows: object) -> Path:
    path = folder / "HumanEval-SingleLineInfilling.jsonl.gz"
    path.write_bytes(gzip.compress("".join(json.dumps(row) + "\n" for row in rows).encode()))
    return path


def test_every_visible_line_of_a_solution_is_a_hole() -> None:
    first, second = single_lines([TASK])

    assert (first.name, first.task) == ("SingleLineInfilling/HumanEval/7/L0", "HumanEval/7")
    assert first.prompt == TASK["prompt"] + "\n"  # as published, before the first line only
    assert (first.gold, first.suffix) == ("    y = x\n", "\n    return y + x\n")
    assert second.name.endswith("/L2")
    assert second.prompt == TASK["prompt"] + "    y = x\n\n"
    assert (second.gold, second.suffix) == ("    return y + x\n", "")


@pytest.mark.skipif(not PUBLISHED.is_dir(), reason="MIDFILL_HUMANEVAL_INFILLING names no folder")
def test_holes_are_cut_as_they_were_published() -> None:
    published = read_suite(SINGLE_LINE, PUBLISHED)
    assert len(published) == 1033

    cut = []
    for problem in published:
        if problem.name.endswith("/L0"):  # but four solutions start with a blank line
            test, _, entry = problem.test.rpartition("\ncheck(")
            cut.append(
                {
                    "task_id": problem.task,
                    "prompt": problem.prompt[:-1],
                    "canonical_solution": problem.gold + problem.suffix,
                    "test": test,
                    "entry_point": entry[:-1],
                }
            )
    assert len(cut) == 160
    tasks = {task["task_id"] for task in cut}
    expected = tuple(problem for problem in published if problem.task in tasks)

    assert single_lines(cut) == expected


@pytest.mark.skipif(not PUBLISHED.is_dir(), reason="MIDFILL_HUMANEVAL_INFILLING names no folder")
def test_published_spans_are_read() -> None:
    problems = read_suite(RANDOM_SPAN_LIGHT, PUBLISHED)

    assert len(problems) == len({problem.task for problem in problems}) == 164
    assert {problem.kind for problem in problems} == {HoleKind.SPAN}
    compile(problems[0].program(problems[0].gold), "whole", "exec")


def test_spans_need_the_published_file() -> None:
    with pytest.raises(UsageError, match=r"^the holes of humaneval-random-span-light .* --data$"):
        read_suite(RANDOM_SPAN_LIGHT, None)


def test_an_unknown_suite_is_a_wrong_call() -> None:
    with pytest.raises(UsageError, match="there is no suite 'x'; there are: humaneval-single-line"):
        suite_name("x")
    assert [suite_name(name) for name in SUITES] == list(SUITES)


def test_missing_data_is_said_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(DataMissing, match=r"^cannot read .*No such file.*--data$"):
        read_suite(SINGLE_LINE, tmp_path / "nowhere")
    (tmp_path / "HumanEval-SingleLineInfilling.jsonl.gz").mkdir()
    with pytest.raises(DataMissing, match=r"^cannot read .*directory.*$"):
        read_suite(SINGLE_LINE, tmp_path)


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data[: len(data) // 2],
        lambda data: b"not gzip",
        lambda data: b"",
        lambda data: data[:20] + bytes(8) + data[28:],
        lambda data: gzip.compress(b"{}\n"),
        lambda data: gzip.compress(b"[1, 2]\n"),
        lambda data: gzip.compress(b'{"task_id": 1}\n'),
        lambda data: gzip.compress(b"\xff\xfe\n"),
    ],
)
def test_a_damaged_data_file_is_said_to_be_damaged(tmp_path: Path, damage: object) -> None:
    path = write_rows(tmp_path, {**TASK, "suffix": ""})
    path.write_bytes(damage(path.read_bytes()))  # type: ignore[operator]

    with pytest.raises(DataDamaged, match=r"^.*HumanEval-SingleLine[^\n]*fetch it again$"):
        read_suite(SINGLE_LINE, tmp_path)


def test_the_self_suite_needs_a_corpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIDFILL_CACHE_DIR", str(tmp_path))
    for folder in (None, tmp_path, tmp_path / "nowhere"):
        with pytest.raises(MidfillError, match=r"^[^\n]*corpus[^\n]*$"):
            read_problems("self", folder, 0)


SOURCE = SourceText(
    "package",
    "module.py",
    "python",
    "".join(f"def function_{n}(x):\n    y = x + {n}\n    return y * x\n\n" for n in range(20)),
)


def test_one_hole_of_each_kind_is_cut_in_each_file() -> None:
    problems = cut_holes([SOURCE], 0)

    assert [problem.kind for problem in problems] == list(HoleKind)
    for problem in problems:
        assert problem.prompt + problem.gold + problem.suffix == SOURCE.text
        assert problem.completion(problem.gold) == problem.gold
    line, rest, several, _ = problems
    assert line.prompt.endswith("\n") or not line.prompt
    assert line.gold.count("\n") == 1
    assert line.gold.endswith("\n")
    assert not rest.prompt.endswith("\n")
    assert "\n" not in rest.gold
    assert rest.suffix.startswith("\n")
    assert several.prompt.endswith("\n") or not several.prompt
    assert several.gold.count("\n") >= 2


def test_where_holes_are_cut_depends_on_seed_and_file_alone() -> None:
    other = SourceText("package", "other.py", "python", SOURCE.text)

    assert cut_holes([SOURCE], 1) == cut_holes([other, SOURCE], 1)[4:]
    assert cut_holes([SOURCE], 1) != cut_holes([SOURCE], 2)


@pytest.mark.parametrize("text", ["", "\n", "x", "\n\n\n", "    ", "x = 1"])
def test_a_file_without_room_for_a_hole_gets_none(text: str) -> None:
    for problem in cut_holes([SourceText("p", "f.py", "python", text)], 0):
        assert problem.gold.strip()


def test_a_whole_lines_break_is_put_back_and_nothing_else() -> None:
    problem = Problem("n", "t", "a\n", "    b\n", "c\n", HoleKind.LINE)

    assert problem.completion("    b") == "    b\n"
    assert problem.completion("    b\n") == "    b\n"
    assert problem.program("    b") == "a\n    b\nc\n\n"
    assert Problem("n", "t", "a", "b", "", HoleKind.SPAN).completion(" x\n") == " x\n"


def test_a_limit_spreads_over_the_tasks_and_grows_by_adding() -> None:
    problems = [
        Problem(f"{task}/{n}", str(task), "", "", "", HoleKind.LINE)
        for task in range(10)
        for n in range(task + 1)
    ]

    small, large = (spread_sample(problems, limit, 3) for limit in (6, 15))

    assert len({problem.task for problem in small}) == 6
    assert len({problem.task for problem in large}) == 10
    assert set(small) < set(large)
    assert spread_sample(problems, 6, 3) == small != spread_sample(problems, 6, 4)
    assert spread_sample(problems, None, 3) == tuple(problems) == spread_sample(problems, 999, 3)
