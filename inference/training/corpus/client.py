"""Running a registry's own client, which knows the user's mirrors, proxies and certificates."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
from contextlib import contextmanager
from time import monotonic
from typing import TYPE_CHECKING

from midfill.inference.errors import DownloadFailed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

_BEAT_SECONDS = 0.5
_PATIENCE_SECONDS = 900.0
_NO_SPACE = ("No space left on device", "ENOSPC", "[Errno 28]")


def run_client(
    command: list[str],
    folder: Path,
    beat: Callable[[], None],
    environment: Mapping[str, str] | None = None,
) -> None:
    """Run a client in a folder until it ends. It is gone afterwards, whatever happens here.

    Args:
        beat: called twice a second; may raise, to break off.
        environment: variables on top of this process's own.

    Raises:
        DownloadFailed: with the last thing that the client said.
        OSError: the disk is full.
    """
    log = folder / "client.log"
    variables = {**os.environ, **dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(folder))}
    variables |= {"LC_ALL": "C.UTF-8", "NO_COLOR": "1", **(environment or {})}
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=variables,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        status = _wait(process, beat)
    if status != 0:
        said = log.read_text(encoding="utf-8", errors="replace")
        if any(sign in said for sign in _NO_SPACE) or not shutil.disk_usage(folder).free:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        raise DownloadFailed(_complaint(said) or f"ended with status {status}")


@contextmanager
def throw_away_folder(folder: Path) -> Iterator[Path]:
    """A new, empty folder that is gone afterwards; so is one that was left there by a crash."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _wait(process: subprocess.Popen[bytes], beat: Callable[[], None]) -> int:
    deadline = monotonic() + _PATIENCE_SECONDS
    try:
        while True:
            try:
                return process.wait(_BEAT_SECONDS)
            except subprocess.TimeoutExpired:
                beat()
            if monotonic() > deadline:
                raise DownloadFailed(f"took longer than {_PATIENCE_SECONDS:.0f} seconds")
    finally:
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _complaint(said: str) -> str:
    """The line that tells most about what went wrong."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    errors = [line for line in lines if line.lower().startswith(("error", "e:", "npm err"))]
    return (errors or lines or [""])[-1][:300]
