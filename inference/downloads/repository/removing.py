"""Deleting snapshots, and what is left of them."""

from __future__ import annotations

import shutil
from secrets import token_hex
from typing import TYPE_CHECKING

from midfill.inference.downloads.cache_folder import disk_errors
from midfill.inference.downloads.folder_lock import sole_use
from midfill.inference.downloads.repository.remains import GONE
from midfill.inference.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from midfill.inference.downloads.repository.remains import Remains
    from midfill.inference.downloads.repository.snapshots import Snapshot
    from midfill.inference.progress import ProgressListener


def remove_snapshots(gone: Iterable[Snapshot | Remains], listener: ProgressListener) -> None:
    """Delete snapshots and remains, each with what a removal of its repository has left before.

    Raises:
        MidfillError: they cannot be deleted.
    """
    for one in gone:
        folder = one.folder
        waiting = Progress(f"waiting for another process that fetches {one.repository}")
        with sole_use(folder.parent, waiting, listener), disk_errors(folder):
            _delete(folder)
            for left in folder.parent.glob(f"*{GONE}*"):
                _delete(left)


def sweep(repository_folder: Path) -> None:
    """Delete what interrupted removals have left, if that can be done.

    The caller has `sole_use` of the folder.
    """
    for left in repository_folder.glob(f"*{GONE}*"):
        shutil.rmtree(left, ignore_errors=True)


def _delete(folder: Path) -> None:
    if folder.is_symlink():
        folder.unlink()
    elif folder.is_dir():
        if GONE not in folder.name:
            # in one step, so that half a folder is never taken for a model
            folder = folder.rename(folder.with_name(f"{folder.name}{GONE}{token_hex(4)}"))
        shutil.rmtree(folder)
    else:
        folder.unlink(missing_ok=True)
