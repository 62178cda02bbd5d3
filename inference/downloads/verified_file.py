"""Files that are known by the sha256 of what they hold."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from midfill.inference.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import BinaryIO

    from midfill.inference.progress import ProgressListener

_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of a file that can be checked on its own."""

    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class PublishedFile:
    """A file as its publisher published it.

    Attributes:
        name: the file's name in the cache.
        model: the name of the model in it, as the command line takes it.
        title: what people call that.
        size: bytes.
        pieces: the whole file, in stretches; an interrupted download resumes behind the last one
            that has arrived in one piece.
    """

    name: str
    model: str
    title: str
    size: int
    sha256: str
    pieces: tuple[Piece, ...]


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """A file that was hashed once, and how to tell that it has not been touched since."""

    size: int
    mtime_ns: int
    sha256: str

    def is_untouched(self, path: Path) -> bool:
        """Whether size and time of change are still the same; reads nothing of the file.

        Raises:
            OSError: there is no such file, or it cannot be looked at.
        """
        found = path.stat()
        return (found.st_size, found.st_mtime_ns) == (self.size, self.mtime_ns)


def fingerprint(path: Path, advance: Callable[[int], None] | None = None) -> Fingerprint:
    """Hash a file.

    Args:
        path: an existing file.
        advance: told the number of bytes after every megabyte read.

    Raises:
        OSError: it cannot be read.
    """
    before = path.stat()
    with path.open("rb") as file:
        digest = sha256_of(file, before.st_size, advance)
    return Fingerprint(before.st_size, before.st_mtime_ns, digest)


def watched_fingerprint(path: Path, title: str, listener: ProgressListener) -> Fingerprint:
    """Hash a file, telling how far that has come.

    Args:
        title: what people call it.
        listener: may raise, to break off.

    Raises:
        OSError: it cannot be read.
    """
    size = max(1, path.stat().st_size)
    done = 0

    def advance(count: int) -> None:
        nonlocal done
        done += count
        listener(Progress(f"checking {title}", min(1.0, done / size)))

    return fingerprint(path, advance)


def sha256_of(file: BinaryIO, count: int, advance: Callable[[int], None] | None = None) -> str:
    """The sha256, in hexadecimal, of the next ``count`` bytes, or of those that are left."""
    digest = hashlib.sha256()
    while count > 0 and (chunk := file.read(min(count, _CHUNK))):
        digest.update(chunk)
        count -= len(chunk)
        if advance is not None:
            advance(len(chunk))
    return digest.hexdigest()


def intact_pieces(path: Path, pieces: tuple[Piece, ...]) -> int:
    """How many of the first pieces a partial file holds unharmed; 0 if there is no file.

    Raises:
        OSError: it cannot be read.
    """
    intact = 0
    try:
        with path.open("rb") as file:
            for piece in pieces:
                if sha256_of(file, piece.size) != piece.sha256:
                    break
                intact += 1
    except FileNotFoundError:
        pass
    return intact
