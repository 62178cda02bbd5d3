"""What a disk can have against a corpus, and writing so that nothing half-written counts."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from midfill.inference.downloads.cache_folder import FULL
from midfill.inference.errors import MidfillError, NoSpace

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import BinaryIO


@contextmanager
def disk_errors(folder: Path) -> Iterator[None]:
    """Put what the operating system says about the corpus's folder into words.

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
            raise NoSpace(
                f"the disk of {folder} is full: make room, or name a folder with more by --out "
                "(what has been fetched so far is kept)"
            ) from error
        raise MidfillError(
            f"the corpus cannot be written to {folder} ({error.strerror or error}): "
            "put that right, or name another folder by --out"
        ) from error


@contextmanager
def written_whole(path: Path) -> Iterator[BinaryIO]:
    """A file to write that gets its name only once all of it is on the disk."""
    partial = path.with_name(f"{path.name}.partial")
    try:
        with partial.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
