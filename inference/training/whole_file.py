"""Writing a run's files so that each is there whole or as it was before."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from safetensors import SafetensorError

from midfill.inference.downloads.cache_folder import FULL
from midfill.inference.errors import MidfillError, NoSpace

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_FULL_IN_WORDS = ("No space left", "os error 28", "os error 122", "quota exceeded")
"""How safetensors, which passes the system's errors on as text, says that the disk is full."""


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """A path to write to; what is there at the end takes the place of ``path``.

    Raises:
        NoSpace: the disk is full; the old file is still there.
        MidfillError: the file cannot be written for another reason.
    """
    partial = path.with_name(f"{path.name}.partial")
    try:
        yield partial
        _settle(partial)
        partial.replace(path)
    except (OSError, SafetensorError) as error:
        if _is_full(error):
            raise NoSpace(
                f"the disk of {path.parent} is full: make room and run the same command again; "
                "it goes on from the last checkpoint, which is still there"
            ) from error
        raise MidfillError(f"{path} cannot be written ({error})") from error
    finally:
        partial.unlink(missing_ok=True)


def _settle(partial: Path) -> None:
    """Onto the disk, and readable as the user's other files are: safetensors writes 0600."""
    with partial.open("rb+") as file:
        os.fsync(file.fileno())
    if os.name == "posix":
        mask = os.umask(0)
        os.umask(mask)
        partial.chmod(0o666 & ~mask)


def _is_full(error: BaseException) -> bool:
    number = getattr(error, "errno", None)
    return number in FULL or any(words in str(error) for words in _FULL_IN_WORDS)
