"""The snapshots of repositories that are here: ``models/hub/OWNER--NAME/COMMIT`` in the cache.

A model is always loaded from a commit that was pulled, whatever its branch stands for by now.
"""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

from midfill.inference.downloads.cache_folder import cache_folder, disk_errors
from midfill.inference.downloads.folder_lock import sole_use
from midfill.inference.downloads.model_folder import State
from midfill.inference.downloads.repository.record import RECORD, read_record
from midfill.inference.errors import WeightsCorrupt, WeightsMissing
from midfill.inference.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from midfill.inference.downloads.repository.record import SnapshotRecord
    from midfill.inference.progress import ProgressListener

MAIN = "main"
"""The branch that is meant where no revision is named."""

_SHORT_COMMIT = re.compile(r"[0-9a-f]{7,40}")


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One commit of a repository in the cache, whole or not."""

    folder: Path
    record: SnapshotRecord

    @property
    def size(self) -> int:
        """Bytes of the files that are here."""
        return sum(file.size for file in self.record.files.values())

    def damaged_files(self) -> tuple[str, ...]:
        """Names of files that are gone or have another size; reads nothing of them."""
        return tuple(
            name for name, file in self.record.files.items() if self._size(name) != file.size
        )

    def touched_files(self) -> tuple[str, ...]:
        """Names of files that somebody has written to, or copied, since they were checked."""
        touched = []
        for name, file in self.record.files.items():
            try:
                untouched = file.is_untouched(self.folder / name)
            except OSError:
                untouched = False
            if not untouched:
                touched.append(name)
        return tuple(touched)

    def state(self) -> State:
        """A quick look, which changes nothing."""
        if self.record.completed is None:
            return State.INTERRUPTED
        return State.UNVERIFIED if self.touched_files() else State.READY

    def _size(self, name: str) -> int | None:
        try:
            return (self.folder / name).stat().st_size
        except OSError:
            return None


def command_name(repository: str, revision: str | None) -> str:
    """What the command line calls a revision of a repository."""
    return f"{repository},revision={revision}" if revision else repository


def repository_folder(repository: str) -> Path:
    """Where the snapshots of a repository are; need not exist yet."""
    return _hub_folder() / repository.replace("/", "--")


def snapshots(repository: str) -> tuple[Snapshot, ...]:
    """All snapshots of a repository, whole or not, the last completed one first."""
    here = _snapshots_in([repository_folder(repository)])
    return tuple(snapshot for snapshot in here if snapshot.record.repository == repository)


def all_snapshots() -> tuple[Snapshot, ...]:
    """The snapshots of all repositories, whole or not."""
    try:
        folders = sorted(_hub_folder().iterdir())
    except OSError:
        return ()
    return _snapshots_in(folders)


def find_snapshot(repository: str, revision: str | None = None) -> Snapshot | None:
    """The whole snapshot that a revision was pulled as, or None.

    Args:
        revision: a branch, a tag, or a commit, which may be cut short to 7 digits; None for the
            main branch if that was pulled, else for what was pulled last.
    """
    whole = [snapshot for snapshot in snapshots(repository) if snapshot.record.completed]
    for snapshot in whole:
        if (revision or MAIN) in snapshot.record.asked:
            return snapshot
    if revision is None:
        return whole[0] if whole else None
    if _SHORT_COMMIT.fullmatch(revision):
        meant = [one for one in whole if one.record.commit.startswith(revision)]
        return meant[0] if len(meant) == 1 else None
    return None


def local_folder(repository: str, revision: str | None = None) -> Path:
    """The folder to load a pulled model from; costs a few `stat` calls.

    Raises:
        WeightsMissing: it has not been pulled, or in part only.
        WeightsCorrupt: files of it are gone or have been cut off.
    """
    snapshot = find_snapshot(repository, revision)
    command = f"`midfill model pull {command_name(repository, revision)}`"
    if snapshot is None:
        if any(not one.record.completed for one in snapshots(repository)):
            raise WeightsMissing(
                f"{repository} has been pulled in part only: {command} goes on where it stopped"
            )
        raise WeightsMissing(
            f"{command_name(repository, revision)} has not been pulled: run {command}"
        )
    if damaged := snapshot.damaged_files():
        raise WeightsCorrupt(
            f"{snapshot.folder / damaged[0]} is gone or has been cut off: {command} mends it"
        )
    return snapshot.folder


def remove_snapshots(gone: Iterable[Snapshot], listener: ProgressListener) -> None:
    """Delete snapshots of one repository.

    Raises:
        MidfillError: they cannot be deleted.
    """
    for snapshot in gone:
        folder = snapshot.folder
        waiting = Progress(f"waiting for another process that fetches {snapshot.record.repository}")
        with sole_use(folder.parent, waiting, listener), disk_errors(folder):
            # first, so that what a crash leaves behind looks like what it is
            (folder / RECORD).unlink(missing_ok=True)
            shutil.rmtree(folder)


def _hub_folder() -> Path:
    return cache_folder() / "models" / "hub"


def _snapshots_in(folders: Iterable[Path]) -> tuple[Snapshot, ...]:
    found = []
    for folder in folders:
        try:
            places = sorted(folder.iterdir())
        except OSError:
            continue
        for place in places:
            record = read_record(place)
            if record is not None and record.commit == place.name:
                found.append(Snapshot(place, record))
    return tuple(sorted(found, key=lambda one: one.record.completed or "", reverse=True))
