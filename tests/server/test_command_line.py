"""The command as a user has it: real processes, the real model, real files."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from contextlib import aclosing
from typing import TYPE_CHECKING

import pytest
from editor import LOADING_SECONDS

from midfill.inference.transport import engine_address
from midfill.inference.version import version
from midfill.lsp.engine_client import EngineClient
from midfill.lsp.engine_process import start_engine

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
    """The command with no engine in reach: it has to load the model itself."""
    return Midfill(tmp_path, tmp_path / "run")


@pytest.fixture(scope="module")
def running(own_engine: Path) -> Path:
    """The runtime folder of an engine that is ready."""
    asyncio.run(_start_and_wait())
    return own_engine / "run"


async def _start_and_wait() -> None:
    address = engine_address("embedded")
    await start_engine("embedded", address)
    client = EngineClient(address)
    async with asyncio.timeout(LOADING_SECONDS), aclosing(client.events()) as events:
        async for health in events:
            if health.state == "ready":
                break
    await client.aclose()


@pytest.fixture
def with_engine(tmp_path: Path, running: Path) -> Midfill:
    """The command where an engine runs already: it asks that one."""
    return Midfill(tmp_path, running)


class Midfill:
    """Runs the command in a folder, with no engine of the user's in reach."""

    def __init__(self, folder: Path, runtime: Path) -> None:
        self._folder = folder
        self._environment = os.environ | {"MIDFILL_RUNTIME_DIR": str(runtime)}

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


@pytest.mark.usefixtures("source")
def test_fill_as_json_has_all_its_fields(with_engine: Midfill) -> None:
    done = with_engine("fill", "mean.py:3:12", "--json", "--n", "2")
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


def test_all_placeholders_are_filled_as_a_diff(with_engine: Midfill, tmp_path: Path) -> None:
    source = "def mean(numbers):\n    return sum(numbers) / ___\n"
    (tmp_path / "holes.py").write_text(source)
    done = with_engine("fill", "--all-holes", "holes.py")
    assert done.returncode == 0
    assert "--- a/holes.py" in done.stdout
    assert "-    return sum(numbers) / ___" in done.stdout
    assert "+    return sum(numbers) / len(numbers)" in done.stdout
    assert (tmp_path / "holes.py").read_text() == source
    [hole] = json.loads(with_engine("fill", "--all-holes", "holes.py", "--json").stdout)["holes"]
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
