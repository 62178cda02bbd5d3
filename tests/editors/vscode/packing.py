"""The extension, packed as users get it."""

from __future__ import annotations

import os
import shutil
import subprocess
from functools import cache
from pathlib import Path

import pytest
from filelock import FileLock

ROOT = Path(__file__).resolve().parents[3]
SOURCE = ROOT / "editors" / "vscode"
PACKED = SOURCE / "build" / "midfill.vsix"
SECONDS = 300


def made(target: str) -> subprocess.CompletedProcess[str]:
    """Make something; other workers of the same run wait for it and find it made."""
    (SOURCE / "build").mkdir(exist_ok=True)
    with FileLock(SOURCE / "build" / "making.lock", timeout=2 * SECONDS):
        return subprocess.run(
            ["make", "--no-print-directory", target],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )


@cache
def failure_of_packing() -> str:
    """Why the extension cannot be packed here; nothing if it is."""
    if missing := [tool for tool in ("node", "npm", "make") if not shutil.which(tool)]:
        return f"{' and '.join(missing)} not found"
    installed = made("vscode-packages")
    return installed.stderr[-400:] if installed.returncode else ""


def packed_extension() -> Path:
    """The `.vsix`; skips the test where its npm packages cannot be had.

    Raises:
        AssertionError: it is wrong itself.
    """
    if why := failure_of_packing():
        pytest.skip(f"the extension cannot be packed here: {why}")
    packing = made("vsix")
    assert packing.returncode == 0, packing.stdout + packing.stderr
    return PACKED


def scripts_of_npm(name: str) -> subprocess.CompletedProcess[str]:
    """Run one of the extension's scripts."""
    if why := failure_of_packing():
        pytest.skip(f"the extension cannot be packed here: {why}")
    quiet = {**os.environ, "NO_COLOR": "1"}
    return subprocess.run(
        ["npm", "run", "--silent", name],
        cwd=SOURCE,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        env=quiet,
        check=False,
    )
