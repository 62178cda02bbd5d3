"""The snapshots of repositories that are here: ``models/hub/OWNER--NAME/COMMIT`` in the cache.

A model is always loaded from a commit that was pulled, whatever its branch stands for by now.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from midfill.inference.downloads.cache_folder import cache_folder
from midfill.inference.downloads.model_folder import State
from midfill.inference.downloads.repository.record import read_record
from midfill.inference.errors import WeightsCorrupt, WeightsMissing

if TYPE_CHECKING:
    from collections.abc import Iterable

    from midfill.inference.downloads.repository.record import SnapshotRecord

MAIN = "main"
"""The branch that is meant where no revision is named."""

_SHORT_COMMIT = re.compile(r"[0-9a-f]{7,40}")


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One commit of a repository in the cache, whole or not."""

    folder: Path
    record: SnapshotRecord

    @property
    def repository(self) -> str:
        return self.record.repository

    @property
    def commit(self) -> str:
        return self.record.commit

    @property
    def size(self) -> int:
        """Bytes of all that is here, what has arrived in part included."""
        return bytes_in(self.folder)

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


def hub_folder() -> Path:
    """Where the folders of all repositories are; need not exist yet."""
    return cache_folder() / "models" / "hub"


def repository_folder(repository: str) -> Path:
    """Where the snapshots of a repository are; need not exist yet."""
    return hub_folder() / repository.replace("/", "--")


def snapshots(repository: str) -> tuple[Snapshot, ...]:
    """All snapshots of a repository, whole or not, the last completed one first."""
    here = _snapshots_in([repository_folder(repository)])
    return tuple(snapshot for snapshot in here if snapshot.repository == repository)


def all_snapshots() -> tuple[Snapshot, ...]:
    """The snapshots of all repositories, whole or not."""
    return _snapshots_in(places_in(hub_folder()))


def find_snapshot(repository: str, revision: str | None = None) -> Snapshot | None:
    """The whole snapshot that a revision was last pulled as, or None.

    Args:
        revision: a branch, a tag, or a commit, which may be cut short to 7 digits; None for the
            main branch if that was pulled, else for what was completed last.
    """
    whole = [snapshot for snapshot in snapshots(repository) if snapshot.record.completed]
    name = revision or MAIN
    if asked := [snapshot for snapshot in whole if name in snapshot.record.asked]:
        return max(asked, key=lambda snapshot: snapshot.record.asked[name])
    if revision is None:
        return whole[0] if whole else None
    meant = [snapshot for snapshot in whole if is_commit(revision, snapshot.commit)]
    return meant[0] if len(meant) == 1 else None


def is_commit(revision: str, commit: str) -> bool:
    """Whether a revision names a commit, which may be cut short to 7 digits."""
    return bool(_SHORT_COMMIT.fullmatch(revision)) and commit.startswith(revision)


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


def places_in(folder: Path) -> tuple[Path, ...]:
    """What is in a folder of the cache, in order; nothing if it cannot be looked at."""
    try:
        return tuple(sorted(folder.iterdir()))
    except OSError:
        return ()


def bytes_in(folder: Path) -> int:
    """Bytes of all files in a folder and in those below it."""
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            try:
                total += (Path(place) / name).stat().st_size
            except OSError:
                continue
    return total


def _snapshots_in(folders: Iterable[Path]) -> tuple[Snapshot, ...]:
    found = [
        Snapshot(place, record)
        for folder in folders
        for place in places_in(folder)
        if (record := read_record(place)) is not None
    ]
    return tuple(sorted(found, key=lambda one: one.record.completed or "", reverse=True))
