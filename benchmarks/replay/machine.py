"""What a run was made on; figures mean little without it."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from pathlib import Path

import psutil


@dataclass(frozen=True, slots=True)
class Machine:
    """
    Attributes:
        load: of the minute before the run; about 0 if nothing else was going on. None where the
            system does not tell.
        threads: of numeric libraries, if the environment bounds them.
    """

    processor: str
    cores: int
    system: str
    python: str
    load: float | None
    threads: str | None

    def __str__(self) -> str:
        busy = "" if self.load is None else f", load before the run {self.load:.1f}"
        bound = f", OMP_NUM_THREADS={self.threads}" if self.threads else ""
        cores = f"{self.cores} cores"
        return f"{self.processor}, {cores}, {self.system}, Python {self.python}{busy}{bound}"


def this_machine() -> Machine:
    return Machine(
        processor=_processor(),
        cores=psutil.cpu_count() or 1,
        system=f"{platform.system()} {platform.release()}",
        python=platform.python_version(),
        load=os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        threads=os.environ.get("OMP_NUM_THREADS"),
    )


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor() or platform.machine())
