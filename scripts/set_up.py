"""Make the virtual environment that the Makefile's targets run in.

Needs Python 3.11+ and nothing else. A second run with nothing changed does nothing.

On Linux without an NVIDIA GPU the default torch brings gigabytes of CUDA libraries along, so a CPU
build is taken instead if the package index has one.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = Path(os.environ.get("MIDFILL_VENV", ROOT / ".venv"))
BIN = VENV / ("Scripts" if os.name == "nt" else "bin")
PYTHON = BIN / ("python.exe" if os.name == "nt" else "python")
STAMP = VENV / ".midfill-set-up"
SOURCES = ("lsp", "inference", "kernels")
TORCH_RANGE = ((2, 11), (3, 0))


def say(message: str) -> None:
    print(f"set-up: {message}", file=sys.stderr, flush=True)


def pip(*arguments: str) -> None:
    subprocess.run([PYTHON, "-m", "pip", *arguments], check=True)


def fingerprint() -> str:
    """What the installation depends on: the project file and which source files there are."""
    digest = hashlib.sha256((ROOT / "pyproject.toml").read_bytes())
    digest.update((ROOT / "setup.py").read_bytes())
    digest.update(Path(__file__).read_bytes())
    for folder in SOURCES:
        for path in sorted((ROOT / folder).rglob("*")):
            if path.suffix in {".py", ".typed", ".safetensors"}:
                digest.update(str(path.relative_to(ROOT)).encode())
            if path.suffix in {".cpp", ".hpp", ".inc"}:  # compiled
                digest.update(path.read_bytes())
    return digest.hexdigest()


def create_venv() -> None:
    made = subprocess.run([sys.executable, "-m", "venv", str(VENV)], capture_output=True, text=True)
    if made.returncode == 0:
        return
    shutil.rmtree(VENV, ignore_errors=True)
    if "ensurepip" in made.stdout + made.stderr and shutil.which("apt-get") and os.geteuid() == 0:
        say("this Python lacks venv; installing Debian's python3-venv")
        subprocess.run(["apt-get", "update", "-qq"], check=True)
        subprocess.run(["apt-get", "install", "-y", "-qq", "python3-venv"], check=True)
        subprocess.run([sys.executable, "-m", "venv", str(VENV)], check=True)
        return
    say("cannot create a virtual environment; on Debian: sudo apt install python3-venv")
    say((made.stdout + made.stderr).strip())
    raise SystemExit(1)


def has_nvidia_gpu() -> bool:
    return Path("/proc/driver/nvidia/version").exists() or shutil.which("nvidia-smi") is not None


def newest_cpu_torch() -> str | None:
    """The newest ``X.Y.Z+cpu`` release of torch in range that the package index offers."""
    listing = subprocess.run(
        [PYTHON, "-m", "pip", "index", "versions", "torch"], capture_output=True, text=True
    ).stdout
    releases = [
        (int(major), int(minor), int(patch))
        for major, minor, patch in re.findall(r"\b(\d+)\.(\d+)\.(\d+)\+cpu\b", listing)
    ]
    low, high = TORCH_RANGE
    fitting = [release for release in releases if low <= release[:2] < high]
    return ".".join(map(str, max(fitting))) + "+cpu" if fitting else None


def install_torch() -> None:
    if not sys.platform.startswith("linux") or has_nvidia_gpu():
        return  # elsewhere the default build is the right one
    if release := newest_cpu_torch():
        say(f"no NVIDIA GPU here: taking torch {release}")
        pip("install", "--quiet", f"torch=={release}")
    else:
        say("warning: no CPU build of torch in this package index; the default takes gigabytes")


def main() -> None:
    if sys.version_info < (3, 11):  # noqa: UP036 (this runs before anything checks it)
        say(f"Python 3.11 or newer is needed, this is {sys.version.split()[0]}; set PYTHON=…")
        raise SystemExit(1)
    wanted = fingerprint()
    if STAMP.exists() and STAMP.read_text() == wanted:
        return
    if not PYTHON.exists():
        say(f"creating {VENV}")
        create_venv()
        install_torch()
    say("installing midfill and what its tests need; this takes a minute or two")
    # Strict editable mode links file by file, so that mypy sees the packages under their import
    # names; it must be renewed when a file appears, which the fingerprint notices.
    shutil.rmtree(ROOT / "build", ignore_errors=True)
    strict = ("--config-settings", "editable_mode=strict")
    pip("install", "--quiet", "--editable", f"{ROOT}[dev]", *strict)
    STAMP.write_text(wanted)
    say("done")


if __name__ == "__main__":
    try:
        main()
    except subprocess.CalledProcessError as error:
        say(f"failed: {' '.join(map(str, error.cmd))}")
        raise SystemExit(1) from None
