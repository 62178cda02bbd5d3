"""A file of a repository as the hub lists it, and telling whether what arrived is that file."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from midfill.inference.downloads.verified_file import Fingerprint

_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file at one commit.

    Attributes:
        name: the path in the repository.
        size: bytes.
        sha256: of a big file, which the hub stores outside git; None for a small one.
        blob: of a small file, the name that git gives to what it holds.
    """

    name: str
    size: int
    sha256: str | None
    blob: str

    def is_in(self, path: Path, found: Fingerprint) -> bool:
        """Whether ``path``, whose fingerprint has just been taken, holds this file.

        Raises:
            OSError: it cannot be read.
        """
        if found.size != self.size:
            return False
        if self.sha256 is not None:
            return found.sha256 == self.sha256
        return git_blob(path, found.size) == self.blob


def git_blob(path: Path, size: int) -> str:
    """The name that git gives to a file's content: a sha1, in hexadecimal.

    Raises:
        OSError: it cannot be read.
    """
    digest = hashlib.sha1(b"blob %d\0" % size, usedforsecurity=False)
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
