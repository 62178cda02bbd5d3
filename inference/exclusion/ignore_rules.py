"""Ignore files in folders within each other, and which of them decides."""

from __future__ import annotations

import os
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from midfill.inference.exclusion.ignore_file import GITS, OURS, IgnoreFile, read_ignore_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class IgnoreRules:
    """What a folder and those around it say, the innermost last.

    A ``.midfillignore`` has the last word over every ``.gitignore``; among those of one name, the
    innermost has.
    """

    ours: tuple[IgnoreFile, ...] = ()
    gits: tuple[IgnoreFile, ...] = ()

    def within(
        self, folder: Path, read: Callable[[Path], IgnoreFile | None], *, git: bool
    ) -> IgnoreRules:
        """These rules, and those that the folder itself has.

        Args:
            read: reads an ignore file, if there is one.
            git: also what Git is told to ignore.
        """
        ours = read(folder / OURS)
        gits = read(folder / GITS) if git else None
        if ours is None and gits is None:
            return self
        return IgnoreRules(
            self.ours if ours is None else (*self.ours, ours),
            self.gits if gits is None else (*self.gits, gits),
        )

    def reason_against(self, path: Path, *, is_folder: bool) -> str | None:
        """Why a file or folder in the innermost folder is left out; None if it is not."""
        for files in (self.ours, self.gits):
            for file in reversed(files):
                if file.patterns is None:
                    return f"{file.path} could not be read"
                relative = path.relative_to(file.path.parent).as_posix()
                verdict = file.patterns.verdict(relative, is_folder=is_folder)
                if verdict is not None:
                    return f"line {verdict.line} of {file.path}" if verdict.excluded else None
        return None


class IgnoreFiles:
    """Ignore files as they are on the disk now, each read again only when it has changed."""

    def __init__(self, complain: Callable[[str], None]) -> None:
        """
        Args:
            complain: hears a sentence on each file that something is wrong with.
        """
        self._complain = complain
        self._known: dict[Path, tuple[object, IgnoreFile | None]] = {}

    def read(self, path: Path) -> IgnoreFile | None:
        """What an ignore file says; None if there is none."""
        state = _state(path)
        if state is None:
            self._known.pop(path, None)
            return None
        known = self._known.get(path)
        if known is not None and known[0] == state:
            return known[1]
        file = read_ignore_file(path)
        before = known[1].complaint if known and known[1] else ""
        if file is not None and file.complaint not in ("", before):
            self._complain(file.complaint)
        self._known[path] = (state, file)
        return file

    def forget(self) -> None:
        """Something has changed that the file system's clock may be too coarse to tell."""
        self._known = {path: (None, file) for path, (_, file) in self._known.items()}


def folders_above(path: Path) -> Iterable[tuple[Path, Path]]:
    """Each folder around a file from the outermost in, and what in it leads to the file."""
    steps = [path, *path.parents]
    return ((outer, inner) for inner, outer in reversed([*pairwise(steps)]))


def repository_around(path: Path) -> Path | None:
    """The folder of the Git repository that a file belongs to."""
    return next((folder for folder in path.parents if os.path.lexists(folder / ".git")), None)


def _state(path: Path) -> object:
    """Something that is another once a file has been written; None if there is no file."""
    try:
        link = os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        return error.errno
    try:
        status = os.stat(path)  # noqa: PTH116
    except OSError as error:
        return link.st_mtime_ns, link.st_ino, error.errno
    return status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino, status.st_mode
