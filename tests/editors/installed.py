"""Real editors for tests, installed once a machine into a folder of their own.

What cannot be installed makes its tests skip, and the summary of the run says why.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

SCRIPTS = Path(__file__).parent / "install"
INSTALLING_SECONDS = 600


def editors_home() -> Path:
    """Where the editors are kept between runs."""
    caches = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get("MIDFILL_TEST_EDITORS") or Path(caches, "midfill-test-editors"))


@contextmanager
def one_at_a_time(what: str) -> Iterator[None]:
    """Wait for other processes that install the same."""
    editors_home().mkdir(parents=True, exist_ok=True)
    with (editors_home() / f"{what}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@cache
def failure_of(script: str, folder: str) -> str:
    """Run an installation script, which leaves alone what is there; why it failed, or nothing."""
    prefix = editors_home() / folder
    prefix.mkdir(parents=True, exist_ok=True)
    try:
        with one_at_a_time(folder):
            done = subprocess.run(
                [SCRIPTS / script, prefix],
                capture_output=True,
                text=True,
                timeout=INSTALLING_SECONDS,
            )
    except subprocess.TimeoutExpired:
        return f"{script} did not finish within {INSTALLING_SECONDS} s"
    return "" if done.returncode == 0 else f"{script}: {done.stderr.strip()[-400:]}"


def installed_by(script: str, folder: str, program: str) -> Path:
    """A program that a script installs; skips the test where that fails."""
    if why := failure_of(script, folder):
        pytest.skip(f"cannot be installed here: {why}")
    return editors_home() / folder / program


@cache
def failure_of_debian(packages: tuple[str, ...]) -> str:
    """Install Debian packages if that can be done unasked; why it failed, or nothing."""
    if not shutil.which("apt-get") or os.geteuid() != 0:
        return f"needs {' '.join(packages)}, and only root on Debian installs them unasked"
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    install = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages]
    with one_at_a_time("debian"):
        for command in (["apt-get", "update", "-qq"], install):
            done = subprocess.run(
                command, capture_output=True, text=True, env=quiet, timeout=INSTALLING_SECONDS
            )
    return "" if done.returncode == 0 else f"apt-get: {done.stderr.strip()[-400:]}"


def from_debian(program: str, *packages: str) -> Path:
    """A program of Debian's, installed where it is missing; skips the test where that fails."""
    if not shutil.which(program) and (why := failure_of_debian(packages)):
        pytest.skip(f"cannot be installed here: {why}")
    found = shutil.which(program)
    if found is None:
        pytest.skip(f"{' '.join(packages)} brought no {program}")
    return Path(found)


def from_wheel(program: str, package: str) -> Path:
    """A program that a package of the tests' requirements brings; skips the test without it."""
    found = Path(sys.executable).with_name(program)
    if not found.exists():
        pytest.skip(f"{package} is not installed here: there may be no wheel for this machine")
    return found
