"""The folder that models are kept in, and what a disk can have against it."""

from __future__ import annotations

import errno
import os
import shutil
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from midfill.inference.errors import MidfillError, NoSpace

if TYPE_CHECKING:
    from collections.abc import Iterator

CACHE_FOLDER_VARIABLE = "MIDFILL_CACHE_DIR"
"""The environment variable that moves the cache folder to another place."""

FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
"""What the operating system says when the disk, or the user's share of it, is full."""


def cache_folder() -> Path:
    """Where what can be had again is kept: ``MIDFILL_CACHE_DIR``, or the user's own cache."""
    if chosen := os.environ.get(CACHE_FOLDER_VARIABLE):
        return Path(chosen).expanduser().absolute()
    import platformdirs

    return Path(platformdirs.user_cache_dir("midfill", appauthor=False))


def make_folder(folder: Path) -> None:
    """Make a folder of the cache, unless it is there.

    Raises:
        MidfillError: it cannot be made or written to.
        NoSpace: the disk is full.
    """
    with disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        if not os.access(folder, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))


def need_space(folder: Path, needed: int) -> None:
    """Make sure that the disk of an existing folder has ``needed`` bytes left.

    Raises:
        NoSpace: it has not.
    """
    with disk_errors(folder):
        free = shutil.disk_usage(folder).free
    if free < needed:
        raise NoSpace(
            f"{folder} needs {megabytes(needed)} MB and its disk has {megabytes(free)} MB left: "
            f"make room, or set {CACHE_FOLDER_VARIABLE} to a folder with more"
        )


@contextmanager
def disk_errors(folder: Path, needed: int | None = None) -> Iterator[None]:
    """Put what the operating system says about a folder of the cache into words.

    Args:
        folder: the folder that is worked on.
        needed: bytes that the work takes in all, if known.

    Raises:
        NoSpace: the disk is full.
        MidfillError: anything else, such as a missing permission.
    """
    try:
        yield
    except ConnectionError:
        raise  # a listener whose reader has gone; no disk says that
    except OSError as error:
        if error.errno in FULL:
            amount = f" ({megabytes(needed)} MB are needed)" if needed else ""
            raise NoSpace(
                f"the disk of {folder} is full{amount}: "
                f"make room, or set {CACHE_FOLDER_VARIABLE} to a folder with more"
            ) from error
        raise MidfillError(
            f"the cache folder {folder} cannot be used ({error.strerror or error}): "
            f"put that right, or set {CACHE_FOLDER_VARIABLE} to another folder"
        ) from error


def megabytes(count: int) -> int:
    """Bytes in whole megabytes of 10⁶, rounded up."""
    return -(-count // 1_000_000)
