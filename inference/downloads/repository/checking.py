"""Reading a snapshot's files to see whether they still hold what was pulled; needs no network."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from midfill.inference.downloads.cache_folder import disk_errors
from midfill.inference.downloads.repository.record import write_record
from midfill.inference.downloads.repository.snapshots import command_name
from midfill.inference.downloads.verified_file import watched_fingerprint
from midfill.inference.errors import WeightsCorrupt

if TYPE_CHECKING:
    from collections.abc import Iterable

    from midfill.inference.downloads.repository.snapshots import Snapshot
    from midfill.inference.progress import ProgressListener


def check_snapshot(snapshot: Snapshot, names: Iterable[str], listener: ProgressListener) -> None:
    """Hash files of a snapshot.

    Args:
        names: of those that are to be read.
        listener: told how far that has come.

    Raises:
        WeightsCorrupt: one of them is gone, cut off or altered.
        MidfillError: one cannot be read.
    """
    record = snapshot.record
    command = f"`midfill model pull {command_name(record.repository, record.commit)}`"
    files = dict(record.files)
    for name in names:
        path = snapshot.folder / name
        with disk_errors(snapshot.folder):
            try:
                found = watched_fingerprint(path, name, listener)
            except FileNotFoundError:
                raise WeightsCorrupt(f"{path} is gone: {command} mends it") from None
        if found.sha256 != files[name].sha256:
            raise WeightsCorrupt(f"{path} is not what was pulled: {command} mends it")
        files[name] = found
    if files != record.files:
        with suppress(OSError):  # in a read-only cache it is hashed each time
            write_record(snapshot.folder, replace(record, files=files))
