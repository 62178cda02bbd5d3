"""Reading packages without unpacking them: zip, tar, and Debian's ar around a tar.

Members are read one by one into memory; nothing is ever written where a member's name says.
"""

from __future__ import annotations

import io
import lzma
import tarfile
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from midfill.inference.errors import DownloadFailed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

LARGEST_MEMBER = 4_000_000
"""Bytes. Larger members are passed over unread."""

LARGEST_TOTAL = 600_000_000
"""Bytes that are read from one package at most."""

_BROKEN = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    UnicodeError,
    NotImplementedError,
    RuntimeError,  # an encrypted member
    ValueError,
)


@dataclass(frozen=True, slots=True)
class Member:
    """A file in a package: where it would lie, and what is in it."""

    path: str
    data: bytes


def read_archive(archive: Path, wanted: Callable[[str], bool]) -> Iterator[Member]:
    """The plain files of a package whose paths are wanted.

    Links, devices, too large files and files with paths that lead out of the package are not
    among them.

    Args:
        wanted: told each path.

    Raises:
        DownloadFailed: the archive is damaged, or holds more than any package should.
    """
    read = {".whl": _zip_members, ".zip": _zip_members, ".deb": _deb_members}.get(
        archive.suffix, _tar_members
    )
    total = 0
    try:
        for member in read(archive, wanted):
            total += len(member.data)
            if total > LARGEST_TOTAL:
                raise DownloadFailed(f"{archive.name} is suspiciously large")
            yield member
    except _BROKEN as error:
        raise DownloadFailed(f"{archive.name} is damaged") from error


def is_inside(path: str) -> bool:
    """Whether a member's path stays within the package."""
    parts = PurePosixPath(path.replace("\\", "/")).parts
    return bool(parts) and ".." not in parts and not path.startswith("/") and ":" not in parts[0]


def _zip_members(archive: Path, wanted: Callable[[str], bool]) -> Iterator[Member]:
    with zipfile.ZipFile(archive) as opened:
        for info in opened.infolist():
            plain = not info.is_dir() and (info.external_attr >> 28) in (0, 8)
            if not plain or info.file_size > LARGEST_MEMBER or not is_inside(info.filename):
                continue
            if wanted(info.filename):
                with opened.open(info) as file:
                    data = file.read(LARGEST_MEMBER + 1)
                if len(data) <= LARGEST_MEMBER:
                    yield Member(info.filename, data)


def _tar_members(archive: Path, wanted: Callable[[str], bool]) -> Iterator[Member]:
    with archive.open("rb") as file:
        yield from _tar_stream(file, wanted)


def _deb_members(archive: Path, wanted: Callable[[str], bool]) -> Iterator[Member]:
    with archive.open("rb") as file:
        if file.read(8) != b"!<arch>\n":
            raise ValueError("no ar archive")
        while header := file.read(60):
            name, size = header[:16].decode("ascii").strip().rstrip("/"), int(header[48:58])
            if name.startswith("data.tar"):
                yield from _tar_stream(io.BytesIO(file.read(size)), wanted)
                return
            file.seek(size + size % 2, io.SEEK_CUR)
    raise ValueError("no data in the package")


def _tar_stream(file: io.BufferedIOBase, wanted: Callable[[str], bool]) -> Iterator[Member]:
    with tarfile.open(fileobj=file, mode="r|*") as opened:
        for info in opened:
            path = info.name.removeprefix("./")
            if not info.isreg() or info.size > LARGEST_MEMBER or not is_inside(info.name):
                continue
            if wanted(path) and (content := opened.extractfile(info)) is not None:
                yield Member(path, content.read())
