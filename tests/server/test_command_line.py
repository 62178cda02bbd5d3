"""The command as a user has it: real processes, the real model, real files."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from midfill.inference.version import version

if TYPE_CHECKING:
    from pathlib import Path

SOURCE = 'def mean(values):\n    """Return the arithmetic mean."""\n    return \n'


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "mean.py"
    path.write_text(SOURCE)
    return path


@pytest.fixture
def midfill(tmp_path: Path) -> Midfill:
    return Midfill(tmp_path)


class Midfill:
    """Runs the command in a folder, with no engine of the user's in reach."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._environment = os.environ | {"MIDFILL_RUNTIME_DIR": str(folder / "run")}

    def __call__(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "midfill.lsp", *arguments],
            cwd=self._folder,
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )


@pytest.mark.usefixtures("embedded_files")
def test_fill_prints_the_file_around_the_hole_and_leaves_it_alone(
    midfill: Midfill, source: Path
) -> None:
    done = midfill("fill", "mean.py:3:12")
    assert done.returncode == 0, done.stderr
    assert "> 3 │     return sum(values) / len(values)" in done.stdout
    assert "  1 │ def mean(values):" in done.stdout
    assert "tokens in" in done.stderr
    assert source.read_text() == SOURCE


@pytest.mark.usefixtures("embedded_files", "source")
def test_fill_as_json_has_all_its_fields(midfill: Midfill) -> None:
    done = midfill("fill", "mean.py:3:12", "--json", "--n", "2")
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer["text"] == "sum(values) / len(values)"
    assert answer["model"] == "embedded"
    assert answer["stop"] == "line-end"
    assert 0 < answer["confidence"] <= 1
    assert answer["steps"] <= answer["tokens"]
    assert isinstance(answer["alternatives"], list)
    assert set(answer["ms"]) == {"load", "encode", "denoise", "total"}
    assert answer["cache"]["new_tokens"] > 0


@pytest.mark.usefixtures("embedded_files", "source")
def test_watching_shows_every_step_also_where_there_is_no_terminal(midfill: Midfill) -> None:
    done = midfill("fill", "mean.py:3:1", "--to", "3:12", "--watch")
    assert done.returncode == 0, done.stderr
    assert "step 1: " in done.stderr
    assert "░" in done.stderr
    assert "sum(values) / len(values)" in done.stdout


def test_all_placeholders_are_filled_as_a_diff(midfill: Midfill, tmp_path: Path) -> None:
    source = "def mean(numbers):\n    return sum(numbers) / ___\n"
    (tmp_path / "holes.py").write_text(source)
    done = midfill("fill", "--all-holes", "holes.py")
    assert done.returncode == 0
    assert "--- a/holes.py" in done.stdout
    assert "-    return sum(numbers) / ___" in done.stdout
    assert "+    return sum(numbers) / len(numbers)" in done.stdout
    assert (tmp_path / "holes.py").read_text() == source
    [hole] = json.loads(midfill("fill", "--all-holes", "holes.py", "--json").stdout)["holes"]
    assert source[hole["start"] : hole["end"]] == "___"
    assert hole["text"] == "len(numbers)"


@pytest.mark.parametrize(
    ("arguments", "complaint", "status"),
    [
        (["fill", "mean.py"], "FILE:LINE:COL", 2),
        (["fill", "mean.py:9:1"], "the last one is 4", 2),
        (["fill", "mean.py:3:99"], "its end is 12", 2),
        (["fill", "mean.py:3:1", "--to", "2:1"], "stands before", 2),
        (["fill", "mean.py:3:12", "--model", "nonsense"], "there is no model 'nonsense'", 2),
        (["fill", "mean.py:3:12", "--device", "warp"], "there is no device 'warp'", 2),
        (["fill", "--all-holes", "mean.py"], "has no placeholder", 2),
        (["fill", "--all-holes", "mean.py", "--n", "2"], "--all-holes goes with", 2),
        (["fill", "none.py:1:1"], "cannot read none.py", 1),
        (["fill", "binary.py:1:1"], "binary", 1),
        (["fill", "latin.py:1:1"], "not UTF-8", 1),
        (["fill", "huge.py:1:1"], "up to 2 MB", 1),
    ],
)
@pytest.mark.usefixtures("source")
def test_what_cannot_be_done_is_one_clear_line(
    midfill: Midfill, tmp_path: Path, arguments: list[str], complaint: str, status: int
) -> None:
    (tmp_path / "binary.py").write_bytes(b"\0")
    (tmp_path / "latin.py").write_bytes(b"\xfc")
    (tmp_path / "huge.py").write_bytes(b"x" * 2_100_000)
    done = midfill(*arguments)
    assert done.returncode == status
    assert done.stdout == ""
    [line] = done.stderr.splitlines()
    assert line.startswith("midfill: ")
    assert complaint in line


def test_an_unknown_option_is_a_wrong_call(midfill: Midfill) -> None:
    done = midfill("fill", "mean.py:1:1", "--frobnicate")
    assert done.returncode == 2
    assert "--frobnicate" in done.stderr


def test_help_names_every_command_and_version_the_version(midfill: Midfill) -> None:
    listed = midfill("--help").stdout
    for command in ("lsp", "fill", "serve", "model", "doctor"):
        assert command in listed
    assert midfill("--version").stdout.strip() == f"midfill {version()}"
