"""Processors that can be emulated, whatever this machine has, and how a program is run on one."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from enum import StrEnum
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

HERE = Path(__file__).parent
NATIVE = HERE.parents[1] / "kernels" / "native"

COMPILED = ("-O3", "-std=c++17", "-fno-math-errno", "-fno-trapping-math", "-ffp-contract=off")
"""As setup.py compiles the operations."""


class Processor(StrEnum):
    """By the name under which the emulator's library makes it."""

    SAPPHIRE_RAPIDS = "_Z28create_sapphire_rapids_cpuidP8BX_CPU_C"
    ICE_LAKE = "_Z29create_corei7_icelake_u_cpuidP8BX_CPU_C"
    SKYLAKE_X = "_Z29create_corei7_skylake_x_cpuidP8BX_CPU_C"
    ARROW_LAKE = "_Z23create_arrow_lake_cpuidP8BX_CPU_C"
    HASWELL = "_Z32create_corei7_haswell_4770_cpuidP8BX_CPU_C"
    SANDY_BRIDGE = "_Z38create_corei7_sandy_bridge_2600k_cpuidP8BX_CPU_C"


def missing() -> str | None:
    """Why nothing can be emulated here; None if it can."""
    if sys.platform != "linux" or os.uname().machine != "x86_64":
        return "the emulator runs on Linux and x86-64"
    if find_spec("bochscpu") is None:
        return "bochscpu-python is not installed"
    if shutil.which("g++") is None:
        return "there is no C++ compiler (g++)"
    return None


def _emulator_library() -> Path:
    spec = find_spec("bochscpu")
    assert spec is not None
    assert spec.origin is not None
    [library] = Path(spec.origin).parent.glob("_bochscpu*.so")
    return library


@dataclass(frozen=True, slots=True)
class Emulator:
    """The operations as a program of its own, and what it takes to run it elsewhere.

    Attributes:
        program: statically linked.
        support: preloaded into the emulator.
    """

    program: Path
    support: Path

    def run(self, processor: Processor, *arguments: str) -> str:
        """What the program prints on that processor."""
        found = subprocess.run(
            [sys.executable, HERE / "run_emulated.py", self.program, *arguments],
            env={
                **os.environ,
                "LD_PRELOAD": str(self.support),
                "EMULATOR_LIBRARY": str(_emulator_library()),
                "EMULATED_PROCESSOR": processor,
            },
            capture_output=True,
            text=True,
            check=False,
        )
        assert found.returncode == 0, found.stderr
        return found.stdout


def build(folder: Path) -> Emulator:
    """Compile the operations, and what the emulator needs on this machine."""
    emulator = Emulator(folder / "instruction_sets", folder / "library_support.so")
    _compile(
        "instruction_sets.cpp", emulator.program, *COMPILED, "-Wno-psabi", "-pthread", "-static"
    )
    _compile("library_support.cpp", emulator.support, "-shared", "-fPIC", libraries=("-ldl",))
    return emulator


def _compile(source: str, made: Path, *options: str, libraries: Sequence[str] = ()) -> None:
    command = ["g++", "-I", NATIVE, *options, HERE / source, "-o", made, *libraries]
    subprocess.run(command, check=True)
