"""Files of the workspace that may be read for context, and reading them.

Names are judged before anything is opened; that a link has been put in place of a file meanwhile
shows on the open file itself.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from midfill.inference.exclusion.policy import ExclusionPolicy

MOST_BYTES = 128 * 1024
"""A larger file is hardly written by hand, and takes long to parse."""

_FLAGS = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)


@dataclass(frozen=True, slots=True)
class Stamp:
    """What is another once a file has been written."""

    modified: int
    size: int
    inode: int
    device: int


class ReadableFiles:
    """The files inside some folders that nothing excludes.

    Args:
        policy: what is never to be read.
        folders: those of the workspace; nothing outside of them is read.
        unsaved: paths of documents that may not be on the disk yet, but are files all the same.
    """

    def __init__(
        self,
        policy: ExclusionPolicy,
        folders: Sequence[str],
        unsaved: Collection[str] = frozenset(),
    ) -> None:
        self._policy = policy
        self._folders = tuple(os.path.normpath(folder) for folder in folders)
        self._unsaved = unsaved
        self._real_folders = tuple(os.path.realpath(folder) for folder in folders)

    @property
    def folders(self) -> tuple[str, ...]:
        return self._folders

    def allows(self, path: str) -> bool:
        """Whether a path lies in the workspace, wherever links lead, and is not excluded."""
        return self._real_path(path) is not None

    def is_file(self, path: str) -> bool:
        """Whether there is such a file to be read."""
        path = os.path.normpath(path)
        if not self._is_inside(path, self._folders):
            return False
        return (path in self._unsaved or Path(path).is_file()) and self.allows(path)

    def files_in(self, folder: str, ending: str, most: int) -> list[str]:
        """The first so many files of a folder whose names end like that, in their order."""
        path = os.path.normpath(folder)
        if path not in self._folders and not self._is_inside(path, self._folders):
            return []
        try:
            found = sorted(str(path) for path in Path(folder).iterdir() if path.suffix == ending)
        except OSError:
            return []
        return list(islice(filter(self.is_file, found), most))

    def stamp(self, path: str) -> Stamp | None:
        """What tells the present state of a file from others; None if it may not be read."""
        real = self._real_path(path)
        if real is None:
            return None
        try:
            status = os.lstat(real)
        except OSError:
            return None
        return Stamp(status.st_mtime_ns, status.st_size, status.st_ino, status.st_dev)

    def read(self, path: str) -> str | None:
        """The text of a file.

        None if it may not be read, is no ordinary file, is too large, or is not UTF-8 text.
        """
        real = self._real_path(path)
        if real is None:
            return None
        try:
            content = _content(real)
        except OSError:
            return None
        if content is None or b"\0" in content:
            return None
        try:
            return content.decode("utf-8-sig")
        except UnicodeDecodeError:
            return None

    def _real_path(self, path: str) -> str | None:
        """Where a file really lies, if it may be read there."""
        asked = os.path.normpath(path)
        if not self._is_inside(asked, self._folders):
            return None
        if self._policy.reason_against(asked, self._folders) is not None:
            return None
        real = os.path.realpath(asked)
        if not self._is_inside(real, self._real_folders):
            return None
        if real != asked and self._policy.reason_against(real, self._folders) is not None:
            return None
        return real

    @staticmethod
    def _is_inside(path: str, folders: Sequence[str]) -> bool:
        inner = Path(path)
        return inner.is_absolute() and any(
            inner != Path(folder) and inner.is_relative_to(folder) for folder in folders
        )


def _content(real: str) -> bytes | None:
    """What an ordinary file of bearable size holds; None if it is not one, or not there any more.

    Raises:
        OSError: it cannot be read.
    """
    descriptor = os.open(real, _FLAGS)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_size > MOST_BYTES:
            return None
        if not _is_still_there(real, status):
            return None
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            content = file.read(MOST_BYTES + 1)
    finally:
        os.close(descriptor)
    return content if len(content) <= MOST_BYTES else None


def _is_still_there(real: str, status: os.stat_result) -> bool:
    """Whether what was opened is what the name, free of links, stands for.

    Raises:
        OSError: there is nothing by that name any more.
    """
    return os.path.realpath(real, strict=True) == real and os.path.samestat(os.lstat(real), status)
