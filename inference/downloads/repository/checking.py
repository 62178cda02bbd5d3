"""Reading a snapshot's files to see whether they still hold what was pulled; needs no network."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, NoReturn

from midfill.inference.downloads.cache_folder import disk_errors
from midfill.inference.downloads.folder_lock import sole_use
from midfill.inference.downloads.repository.record import read_record, write_record
from midfill.inference.downloads.repository.snapshots import command_name
from midfill.inference.downloads.verified_file import watched_fingerprint
from midfill.inference.errors import MidfillError, WeightsCorrupt
from midfill.inference.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from midfill.inference.downloads.repository.snapshots import Snapshot
    from midfill.inference.downloads.verified_file import Fingerprint
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
    checked = {}
    for name in names:
        path = snapshot.folder / name
        with disk_errors(snapshot.folder):
            try:
                found = watched_fingerprint(path, name, listener)
            except FileNotFoundError:
                raise WeightsCorrupt(f"{path} is gone: {command} mends it") from None
        if found.sha256 != record.files[name].sha256:
            raise WeightsCorrupt(f"{path} is not what was pulled: {command} mends it")
        if found != record.files[name]:
            checked[name] = found
    if checked:
        # in a read-only cache, or while another process is in there, it is hashed each time
        with suppress(OSError, MidfillError, _Occupied):
            _remember(snapshot.folder, checked)


class _Occupied(Exception):
    """Another process is at work in the repository's folder."""


def _remember(folder: Path, checked: Mapping[str, Fingerprint]) -> None:
    """Enter what was found good into the record, as that is by now."""

    def give_up(_: Progress) -> NoReturn:
        raise _Occupied

    with sole_use(folder.parent, Progress("waiting"), give_up):
        record = read_record(folder)
        if record is not None:
            known = {
                name: found
                for name, found in checked.items()
                if name in record.files and record.files[name].sha256 == found.sha256
            }
            write_record(folder, replace(record, files={**record.files, **known}))
