"""What `midfill doctor` looks at: each check is a function that returns one `Finding`."""

from __future__ import annotations

import importlib.metadata
import math
import os
import platform
import shutil
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from midfill.inference.downloads.cache_folder import CACHE_FOLDER_VARIABLE, megabytes
from midfill.inference.downloads.model_folder import State
from midfill.inference.errors import MidfillError
from midfill.inference.instructions import (
    DESCRIPTIONS,
    instruction_set,
    without_native_operations,
)
from midfill.inference.models.catalog import EMBEDDED
from midfill.inference.torch_report import TorchReport
from midfill.lsp.doctor_limits import ControlGroups, threads_of_user_left

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from midfill.inference.torch_report import KernelReport

INT8_ENGINE_BYTES = 1_050_000_000
"""What the engine takes with the embedded model where the native operations run it."""

TORCH_ENGINE_BYTES = {True: 1_700_000_000, False: 3_200_000_000}
"""The same in plain torch, by whether the processor knows bfloat16."""


OTHER_THREADS = 8
"""That the engine's process wants besides those that compute, of which there are two for each core
after the first."""


class Status(StrEnum):
    OK = "ok"
    SLOW = "slow"
    """It works, but somebody will have to wait."""
    WRONG = "wrong"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the doctor's report.

    Attributes:
        advice: what to do about it; empty if nothing.
    """

    name: str
    status: Status
    value: str
    advice: str = ""


class Machine:
    """What several checks need to know, each looked up once."""

    @cached_property
    def torch(self) -> TorchReport | str:
        """How torch is, or the last thing it said instead."""
        command = [sys.executable, "-P", "-m", "midfill.inference.torch_report"]
        try:
            answer = subprocess.run(command, capture_output=True, timeout=120, check=False)
            return TorchReport.from_json(answer.stdout)
        except subprocess.TimeoutExpired:
            return "it does not load within two minutes"
        except (OSError, ValueError, TypeError, KeyError):
            said = answer.stderr.decode(errors="replace").strip().splitlines()
            return said[-1] if said else "it does not load"

    @cached_property
    def cores(self) -> int:
        """Cores that this process may use."""
        if sys.platform == "linux":
            return len(os.sched_getaffinity(0))
        return os.cpu_count() or 1

    @cached_property
    def cores_worth(self) -> float:
        """The same, held to what a container may use of them."""
        quota = ControlGroups().cores()
        return self.cores if quota is None else min(self.cores, quota)

    @cached_property
    def threads_left(self) -> int | None:
        """Threads that may still be started; None where nothing limits them."""
        left = (ControlGroups().threads(), threads_of_user_left())
        return min((one for one in left if one is not None), default=None)

    @cached_property
    def native(self) -> str | None:
        """What the native operations use; nothing where there are none."""
        return instruction_set()

    @property
    def bfloat16(self) -> bool:
        return isinstance(self.torch, TorchReport) and self.torch.bfloat16

    @property
    def engine_bytes(self) -> int:
        """What the engine takes with the embedded model."""
        return INT8_ENGINE_BYTES if self.native else TORCH_ENGINE_BYTES[self.bfloat16]


def check_python(machine: Machine) -> Finding:
    value = f"{platform.python_version()} on {platform.platform(terse=True)}, {platform.machine()}"
    return Finding("python", Status.OK, value)


def check_torch(machine: Machine) -> Finding:
    torch = machine.torch
    if isinstance(torch, str):
        try:
            installed = importlib.metadata.version("torch")
        except importlib.metadata.PackageNotFoundError:
            return Finding("torch", Status.WRONG, "not installed", "install Midfill again")
        return Finding("torch", Status.WRONG, f"{installed}: {torch}", "install torch again")
    return Finding("torch", Status.OK, ", ".join((torch.version, *torch.cuda)))


def check_cores(machine: Machine) -> Finding:
    torch = machine.torch
    threads = torch.threads if isinstance(torch, TorchReport) else 0
    cores = machine.cores_worth
    held = f" of which the container may use {cores:g}," if cores < machine.cores else ""
    value = f"{machine.cores},{held} torch uses {threads or 'unknown'}"
    if cores < 2:
        return Finding("cores", Status.SLOW, value, "two cores or more halve the time")
    if threads > (usable := math.floor(cores)) and cores < machine.cores:
        advice = f"threads wait for the container's share: set OMP_NUM_THREADS to {usable}"
        return Finding("cores", Status.SLOW, value, advice)
    if 0 < threads < usable and "OMP_NUM_THREADS" in os.environ:
        advice = "OMP_NUM_THREADS holds torch back; unset it to use all cores"
        return Finding("cores", Status.SLOW, value, advice)
    return Finding("cores", Status.OK, value)


def check_threads(machine: Machine) -> Finding:
    left, wanted = machine.threads_left, 2 * (machine.cores - 1) + OTHER_THREADS
    if left is None:
        return Finding("threads", Status.OK, "no limit")
    value = f"{left} more may be started, the engine wants {wanted}"
    if left >= wanted:
        return Finding("threads", Status.OK, value)
    advice = "it computes with fewer: raise `ulimit -u`, or the container's limit of processes"
    return Finding("threads", Status.SLOW, value, advice)


def check_instructions(machine: Machine) -> Finding:
    torch = machine.torch
    if isinstance(torch, str):
        return Finding("instructions", Status.WRONG, "unknown", "see torch")
    value = f"torch has {torch.vectors}, {'with' if torch.bfloat16 else 'without'} bfloat16"
    if machine.native:
        value = f"{DESCRIPTIONS[machine.native]}; {value}"
    if torch.cuda or machine.native in ("avx512vnni", "avxvnni", "avx2"):
        return Finding("instructions", Status.OK, value)
    if machine.native:
        advice = "this processor lacks AVX2: a step takes several times as long"
        return Finding("instructions", Status.SLOW, value, advice)
    return Finding(
        "instructions", Status.SLOW, f"plain torch; {value}", without_native_operations()
    )


def check_kernels(machine: Machine) -> Finding:
    torch = machine.torch
    if isinstance(torch, str):
        return Finding("kernels", Status.WRONG, "unknown", "see torch")
    value = "; ".join(
        f"{kernel.used or 'none'} on {kernel.device} ({kernel.reason})" for kernel in torch.kernels
    )
    cards = torch.kernels[1:]
    if any(not kernel.used for kernel in torch.kernels):
        advice = "unset MIDFILL_KERNELS, or set it to torch"
        return Finding("kernels", Status.WRONG, value, advice)
    if any(kernel.used == "torch" for kernel in cards):
        return Finding("kernels", Status.SLOW, value, _towards_triton(cards))
    return Finding("kernels", Status.OK, value)


def _towards_triton(cards: Sequence[KernelReport]) -> str:
    """What would have the cards compute with Triton."""
    if os.environ.get("MIDFILL_KERNELS") == "torch":
        return "unset MIDFILL_KERNELS to use Triton"
    if any("not installed" in card.reason for card in cards):
        return "install triton"
    return "everything works, slower; Triton needs a newer card, its driver and a C compiler"


def check_memory(machine: Machine) -> Finding:
    available, needed = available_memory(), machine.engine_bytes
    if available is None:
        return Finding("memory", Status.OK, f"unknown; the engine takes {megabytes(needed)} MB")
    value = f"{megabytes(available)} MB available, the engine takes {megabytes(needed)} MB"
    if available >= needed:
        return Finding("memory", Status.OK, value)
    advice = "close other programs, unless an engine is running already"
    return Finding("memory", Status.SLOW, value, advice)


def check_cache_folder(machine: Machine) -> Finding:
    folder = EMBEDDED.folder()
    place = _nearest_folder(folder.path)
    free = shutil.disk_usage(place).free
    value = f"{folder.path}, {megabytes(free)} MB free"
    if folder.state() is State.READY:
        return Finding("cache folder", Status.OK, value)
    move = f"set {CACHE_FOLDER_VARIABLE} to another folder"
    if not place.is_dir() or not os.access(place, os.W_OK | os.X_OK):
        return Finding("cache folder", Status.WRONG, value, f"{place} cannot be written to; {move}")
    if free < EMBEDDED.disk_bytes:
        needed = megabytes(EMBEDDED.disk_bytes)
        return Finding("cache folder", Status.WRONG, value, f"make room for {needed} MB, or {move}")
    return Finding("cache folder", Status.OK, value)


def check_model(machine: Machine) -> Finding:
    size = round(EMBEDDED.download_bytes / 1e6)
    match EMBEDDED.folder().state():
        case State.READY:
            return Finding("model", Status.OK, "embedded, unchanged since it was verified")
        case State.UNVERIFIED:
            value = "embedded, not verified as it is now"
            advice = "`midfill model pull embedded` checks it, and mends it if it is damaged"
            return Finding("model", Status.SLOW, value, advice)
        case State.INTERRUPTED | State.MISSING as state:
            value = "embedded, pulled in part" if state is State.INTERRUPTED else "not pulled"
            advice = f"the first fill waits for {size} MB; `midfill model pull embedded` now"
            return Finding("model", Status.SLOW, value, advice)


def check_socket_folder(machine: Machine) -> Finding:
    from midfill.inference.transport import engine_address

    try:
        address = engine_address(EMBEDDED.name)
    except MidfillError as error:
        return Finding("socket folder", Status.WRONG, "unusable", str(error))
    return Finding("socket folder", Status.OK, str(Path(str(address)).parent))


def check_engine(machine: Machine) -> Finding:
    from midfill.lsp.running_engine import running_engine

    health = running_engine(EMBEDDED.name)
    if health is None:
        return Finding("engine", Status.OK, "not running; it starts when an editor asks")
    return Finding(
        "engine", Status.OK, f"{health.state}, version {health.version}, pid {health.pid}"
    )


CHECKS: tuple[Callable[[Machine], Finding], ...] = (
    check_python,
    check_torch,
    check_cores,
    check_threads,
    check_instructions,
    check_kernels,
    check_memory,
    check_cache_folder,
    check_model,
    check_socket_folder,
    check_engine,
)


def available_memory() -> int | None:
    """Bytes that a new process could have, or None where the system does not say."""
    amounts = []
    with suppress(OSError, ValueError, StopIteration):
        lines = Path("/proc/meminfo").read_text().splitlines()
        line = next(line for line in lines if line.startswith("MemAvailable:"))
        amounts.append(int(line.split()[1]) * 1024)
    if (share := ControlGroups().memory()) is not None:
        amounts.append(share)
    if not amounts and hasattr(os, "sysconf"):
        with suppress(OSError, ValueError):
            amounts.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    return min(amounts) if amounts else None


def _nearest_folder(path: Path) -> Path:
    """``path``, or the nearest of its parents that is there."""
    for place in (path, *path.parents):
        with suppress(OSError):
            place.stat()
            return place
    return Path(path.anchor)
