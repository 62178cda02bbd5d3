"""One process at a time in a folder of the cache."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from midfill.inference.downloads.cache_folder import disk_errors

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from filelock import BaseFileLock

    from midfill.inference.progress import Progress, ProgressListener

_BEAT_SECONDS = 0.5


@contextmanager
def sole_use(folder: Path, waiting: Progress, listener: ProgressListener) -> Iterator[None]:
    """Keep other processes, and other threads of this one, out of ``folder``.

    Args:
        waiting: what the listener is told, twice a second, while somebody else is in there.
        listener: may raise, to give up waiting.

    Raises:
        MidfillError: the folder cannot be written to.
    """
    from filelock import FileLock

    lock = FileLock(folder / ".lock", thread_local=False)
    with disk_errors(folder):
        ours = _acquired(lock, 0)
    while not ours:
        listener(waiting)
        with disk_errors(folder):
            ours = _acquired(lock, _BEAT_SECONDS)
    try:
        yield
    finally:
        lock.release()


def _acquired(lock: BaseFileLock, seconds: float) -> bool:
    from filelock import Timeout

    try:
        lock.acquire(timeout=seconds)
    except Timeout:
        return False
    return True
