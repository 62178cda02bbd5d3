"""``midfill doctor``: one line for each thing that can be missing, slow or wrong."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import namedtuple
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import typer
from typer.testing import CliRunner

from midfill.inference import instructions
from midfill.inference.models.catalog import EMBEDDED
from midfill.inference.torch_report import KernelReport, TorchReport
from midfill.lsp import doctor_checks
from midfill.lsp.doctor import doctor
from midfill.lsp.doctor_checks import CHECKS, Machine, Status

if TYPE_CHECKING:
    from pathlib import Path

    from midfill.inference.models.embedded.files import EmbeddedFiles

ON_CPU = KernelReport("the CPU", "torch", "Triton is for CUDA")
FAST = TorchReport("2.13.0", 4, vectors="AVX512", bfloat16=True, cuda=(), kernels=(ON_CPU,))
SLOW = TorchReport("2.13.0", 1, vectors="AVX2", bfloat16=False, cuda=(), kernels=(ON_CPU,))


class Usage(namedtuple("Usage", "total used free")):
    pass


@pytest.fixture
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MIDFILL_CACHE_DIR", str(tmp_path))
    return tmp_path


def machine(
    torch: TorchReport | str = FAST,
    cores: int = 4,
    native: str | None = "avx2",
    cores_worth: float | None = None,
    threads_left: int | None = None,
) -> Machine:
    described = Machine()
    worth = cores if cores_worth is None else cores_worth
    described.__dict__.update(torch=torch, cores=cores, native=native, cores_worth=worth)
    described.__dict__.update(threads_left=threads_left)
    return described


def run(*arguments: str) -> tuple[int, str]:
    app = typer.Typer()
    app.command()(doctor)
    result = CliRunner().invoke(app, arguments)
    return result.exit_code, result.stdout


def test_a_machine_that_is_ready_has_nothing_wrong(embedded_files: EmbeddedFiles) -> None:
    status, said = run()

    assert status == 0
    for word in ("python", "torch", "cores", "bfloat16", "memory", "cache folder", "engine"):
        assert word in said
    assert "unchanged since it was verified" in said


def test_the_report_as_json_has_the_same_checks(embedded_files: EmbeddedFiles) -> None:
    _, said = run("--json")

    report = json.loads(said)
    assert len(report["checks"]) == len(CHECKS)
    for check in report["checks"]:
        assert check.keys() == {"name", "status", "value", "advice"}
        assert check["status"] in ("ok", "slow", "wrong")


def test_the_command_itself_does_not_load_torch(embedded_files: EmbeddedFiles) -> None:
    script = (
        "import sys; from midfill.lsp.doctor import doctor; doctor(); print('torch' in sys.modules)"
    )

    found = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )

    assert found.stdout.splitlines()[-1] == "False"


def test_torch_that_does_not_load_is_wrong_and_ends_with_status_1(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "torch.py").write_text("raise ImportError('libgomp.so.1 is missing')")
    paths = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    monkeypatch.setenv("PYTHONPATH", paths)

    status, said = run()

    assert status == 1
    assert "libgomp.so.1 is missing" in said


@pytest.mark.parametrize("native", ["avx512vnni", "avx2"])
def test_native_operations_are_fast_whatever_torch_can_do(native: str) -> None:
    finding = doctor_checks.check_instructions(machine(SLOW, native=native))

    assert finding.status is Status.OK
    assert "AVX" in finding.value


def test_a_processor_without_special_instructions_is_slow() -> None:
    finding = doctor_checks.check_instructions(machine(native="portable"))

    assert finding.status is Status.SLOW
    assert "AVX2" in finding.advice


def test_an_installation_without_a_compiler_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(instructions, "built_library", lambda: None)

    finding = doctor_checks.check_instructions(machine(native=None))

    assert finding.status is Status.SLOW
    assert "C++ compiler" in finding.advice


def test_native_operations_that_were_switched_off_name_the_variable(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(instructions, "built_library", lambda: tmp_path)

    finding = doctor_checks.check_instructions(machine(native=None))

    assert "MIDFILL_INSTRUCTION_SET" in finding.advice


def test_one_core_is_slow() -> None:
    assert doctor_checks.check_cores(machine(cores=4)).status is Status.OK
    assert doctor_checks.check_cores(machine(cores=1)).status is Status.SLOW


def test_fewer_threads_than_cores_name_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")

    finding = doctor_checks.check_cores(machine(SLOW, cores=4))

    assert finding.status is Status.SLOW
    assert "OMP_NUM_THREADS" in finding.advice


def test_a_container_that_may_use_less_than_its_cores_is_slow_and_told_how_many_threads() -> None:
    finding = doctor_checks.check_cores(machine(cores=4, cores_worth=2.5))

    assert finding.status is Status.SLOW
    assert finding.value == "4, of which the container may use 2.5, torch uses 4"
    assert "OMP_NUM_THREADS to 2" in finding.advice
    assert doctor_checks.check_cores(machine(cores=4, cores_worth=1.5)).status is Status.SLOW
    told = replace(FAST, threads=2)
    assert doctor_checks.check_cores(machine(told, cores_worth=2.5)).status is Status.OK


def test_too_few_threads_are_slow() -> None:
    assert doctor_checks.check_threads(machine()).status is Status.OK
    assert doctor_checks.check_threads(machine(threads_left=14)).status is Status.OK
    finding = doctor_checks.check_threads(machine(threads_left=13))
    assert finding.status is Status.SLOW
    assert "13 more" in finding.value
    assert "ulimit -u" in finding.advice


def with_card(used: str, reason: str) -> Machine:
    card = KernelReport("NVIDIA L4", used, reason)
    return machine(replace(FAST, cuda=("NVIDIA L4",), kernels=(ON_CPU, card)))


def test_kernels_are_named_with_the_reason() -> None:
    finding = doctor_checks.check_kernels(machine())
    assert (finding.status, finding.value) == (
        Status.OK,
        "torch on the CPU (Triton is for CUDA)",
    )

    finding = doctor_checks.check_kernels(with_card("triton", "Triton runs here"))
    assert finding.status is Status.OK
    assert "triton on NVIDIA L4 (Triton runs here)" in finding.value


def test_a_card_without_triton_is_slow_and_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("MIDFILL_KERNELS", raising=False)
    for reason, advice in (
        ("triton is not installed", "install triton"),
        ("a trial of Triton failed: Failed to find C compiler", "C compiler"),
    ):
        finding = doctor_checks.check_kernels(with_card("torch", reason))
        assert finding.status is Status.SLOW
        assert reason in finding.value
        assert advice in finding.advice

    monkeypatch.setenv("MIDFILL_KERNELS", "torch")
    finding = doctor_checks.check_kernels(with_card("torch", "MIDFILL_KERNELS is set"))
    assert "unset MIDFILL_KERNELS" in finding.advice


def test_kernels_that_are_asked_for_and_cannot_be_had_are_wrong(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MIDFILL_KERNELS", "triton")
    monkeypatch.delenv("TRITON_INTERPRET", raising=False)
    asked = Machine()
    assert isinstance(asked.torch, TorchReport)
    if asked.torch.cuda:
        pytest.skip("here they can be had")

    finding = doctor_checks.check_kernels(asked)

    assert finding.status is Status.WRONG
    assert "asks for Triton on cpu" in finding.value
    assert "MIDFILL_KERNELS" in finding.advice


def test_too_little_memory_is_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor_checks, "available_memory", lambda: 2_000_000_000)

    assert doctor_checks.check_memory(machine(SLOW)).status is Status.OK
    assert doctor_checks.check_memory(machine(FAST, native=None)).status is Status.OK
    assert doctor_checks.check_memory(machine(SLOW, native=None)).status is Status.SLOW


def test_a_model_that_is_not_pulled_says_how_to_pull_it(empty_cache: Path) -> None:
    finding = doctor_checks.check_model(machine())

    assert finding.status is Status.SLOW
    assert "`midfill model pull embedded`" in finding.advice


def test_a_model_that_was_cut_off_is_not_called_intact(empty_cache: Path) -> None:
    folder = EMBEDDED.folder()
    folder.path.mkdir(parents=True)
    (folder.path / folder.published.name).write_bytes(b"GGUF")

    finding = doctor_checks.check_model(machine())

    assert finding.status is Status.SLOW
    assert "not verified" in finding.value


def test_a_pull_that_was_interrupted_is_told_apart(empty_cache: Path) -> None:
    folder = EMBEDDED.folder()
    folder.path.mkdir(parents=True)
    (folder.path / f"{folder.published.name}.partial").write_bytes(b"GGUF")

    assert "in part" in doctor_checks.check_model(machine()).value


def test_a_full_disk_is_wrong(empty_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: Usage(10**9, 10**9 - 10**6, 10**6))

    finding = doctor_checks.check_cache_folder(machine())

    assert finding.status is Status.WRONG
    assert "MIDFILL_CACHE_DIR" in finding.advice


def test_a_cache_folder_that_is_a_file_is_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("MIDFILL_CACHE_DIR", str(tmp_path / "file"))

    finding = doctor_checks.check_cache_folder(machine())

    assert finding.status is Status.WRONG
    assert str(tmp_path / "file") in finding.advice


@pytest.mark.skipif(sys.platform == "win32", reason="no modes")
def test_a_socket_folder_that_others_may_enter_is_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tmp_path.chmod(0o755)
    monkeypatch.setenv("MIDFILL_RUNTIME_DIR", str(tmp_path))

    finding = doctor_checks.check_socket_folder(machine())

    assert finding.status is Status.WRONG
    assert str(tmp_path) in finding.advice


def test_no_engine_is_nothing_to_worry_about(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tmp_path.chmod(0o700)
    monkeypatch.setenv("MIDFILL_RUNTIME_DIR", str(tmp_path))

    finding = doctor_checks.check_engine(machine())

    assert finding.status is Status.OK
    assert "not running" in finding.value
