"""What a run was made on; figures mean little without it."""

from __future__ import annotations

import os
import platform
import subprocess
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as version_of
from pathlib import Path

import psutil
import torch

from midfill.kernels.native.library import native_library


@dataclass(frozen=True, slots=True)
class Machine:
    """
    Attributes:
        device: that models run on, as torch calls it.
        device_name: of the graphics card; the processor's elsewhere.
        capability: CUDA's, such as 9.0; None without CUDA.
        driver: NVIDIA's version; None without it.
        cuda: that torch was built with; None if without.
        threads: of one operation, at most.
        instruction_set: that the native kernels use; None if they were not built or are not used.
        load: of the minute before; about 0 if nothing else was going on. None where not told.
    """

    device: str
    device_name: str
    capability: str | None
    driver: str | None
    cuda: str | None
    torch: str
    transformers: str | None
    python: str
    system: str
    processor: str
    cores: int
    threads: int
    instruction_set: str | None
    load: float | None

    def __str__(self) -> str:
        card = [f"compute capability {self.capability}"] if self.capability else []
        card += [f"driver {self.driver}"] if self.driver else []
        card += [f"CUDA {self.cuda}"] if self.capability else []
        parts = [
            f"{self.device}: {self.device_name}",
            *card,
            *([self.processor] if self.capability else []),
            f"{self.cores} cores, {self.threads} threads",
            f"native kernels {self.instruction_set or 'none'}",
            f"torch {self.torch}",
            f"transformers {self.transformers or 'none'}",
            f"Python {self.python}",
            self.system,
        ]
        parts += [] if self.load is None else [f"load before the run {self.load:.1f}"]
        return ", ".join(parts)


def this_machine(device: torch.device) -> Machine:
    on_cuda = device.type == "cuda"
    processor, native = _processor(), native_library()
    return Machine(
        device=str(device),
        device_name=torch.cuda.get_device_name(device) if on_cuda else processor,
        capability="{}.{}".format(*torch.cuda.get_device_capability(device)) if on_cuda else None,
        driver=_driver() if on_cuda else None,
        cuda=torch.version.cuda,
        torch=str(torch.__version__),
        transformers=_transformers(),
        python=platform.python_version(),
        system=f"{platform.system()} {platform.release()}",
        processor=processor,
        cores=psutil.cpu_count() or 1,
        threads=torch.get_num_threads(),
        instruction_set=native.instruction_set if native else None,
        load=os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
    )


def _transformers() -> str | None:
    try:
        return version_of("transformers")
    except PackageNotFoundError:
        return None


def _driver() -> str | None:
    question = ("nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader")
    try:
        answer = subprocess.run(question, capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    lines = answer.stdout.split()
    return lines[0] if lines else None


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor() or platform.machine())
