"""Having a repository here: what is missing is fetched, what is damaged is replaced."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from midfill.inference.downloads.cache_folder import disk_errors, make_folder, need_space
from midfill.inference.downloads.folder_lock import sole_use
from midfill.inference.downloads.hub_access import HUB, hub_client, hub_errors
from midfill.inference.downloads.repository.fetching import Fetching, arrived_bytes
from midfill.inference.downloads.repository.listing import not_for_everybody
from midfill.inference.downloads.repository.record import (
    SnapshotRecord,
    now,
    read_record,
    write_record,
)
from midfill.inference.downloads.repository.removing import sweep
from midfill.inference.downloads.repository.snapshots import (
    MAIN,
    Snapshot,
    command_name,
    repository_folder,
)
from midfill.inference.downloads.repository.wanted import INDEX, only_indexed, wanted_files
from midfill.inference.downloads.verified_file import watched_fingerprint
from midfill.inference.errors import DownloadFailed, UsageError
from midfill.inference.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from midfill.inference.downloads.repository.listing import Listing
    from midfill.inference.downloads.repository.remote_file import RemoteFile
    from midfill.inference.downloads.verified_file import Fingerprint
    from midfill.inference.progress import ProgressListener

_SPARE = 10_000_000
"""Bytes to leave on the disk, for the record and for the file system's own use."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What is wanted of a repository.

    Attributes:
        revision: as it was asked for, such as a branch.
        gguf: see `wanted_files`.
        accepted: whether the user has agreed to the licence.
        repair: whether to read every file that is here, rather than believe its size and date.
    """

    revision: str
    gguf: str | None = None
    accepted: bool = False
    repair: bool = False


def pull_snapshot(listing: Listing, wish: Wish, listener: ProgressListener) -> Snapshot:
    """Make the snapshot of a listing whole.

    Other snapshots of the repository stay as they are. The new one is used from the moment that
    all of it is here.

    Args:
        listener: may raise, to break off; what has arrived stays for the next time.

    Raises:
        UsageError, WeightsCorrupt: see `wanted_files`; or the hub has another file than it listed;
            or another repository is in the folder that this one has.
        DownloadFailed: the hub is out of reach, or broke off.
        NoSpace: the disk is full, or would be.
        MidfillError: the cache cannot be written to.
    """
    folder = repository_folder(listing.repository)
    make_folder(folder)
    waiting = Progress(f"waiting for another process that fetches {listing.repository}")
    with sole_use(folder, waiting, listener):
        sweep(folder)
        place = folder / listing.commit
        found = read_record(place) or SnapshotRecord(
            listing.repository, listing.commit, {}, listing.licence, None, {}, None
        )
        if found.repository != listing.repository:
            raise UsageError(
                f"{place} holds {found.repository}: run `midfill model remove {found.repository}` "
                f"to have room for {listing.repository}"
            )
        wanted = wanted_files(listing, wish.gguf, found.files)
        make_folder(place)
        begun = replace(
            found,
            licence=listing.licence,
            accepted=found.accepted or (now() if wish.accepted else None),
        )
        pull = _Pull(listing, wish, listener, place, begun)
        pull.remember(begun)  # so that what arrives can be seen and removed
        return pull.complete(wanted)


@dataclass(slots=True)
class _Pull:
    """One pull on its way; whoever runs it has `sole_use` of the repository's folder."""

    listing: Listing
    wish: Wish
    listener: ProgressListener
    place: Path
    record: SnapshotRecord

    def complete(self, wanted: tuple[RemoteFile, ...]) -> Snapshot:
        index = next((file for file in wanted if file.name == INDEX), None)
        if index is not None:  # it says which of the others belong to the model
            self._have((index,), wanted)
            with disk_errors(self.place):
                wanted = only_indexed(self.listing, wanted, self.place / INDEX)
        self._have(wanted, wanted)
        asked = {**self.record.asked, self.wish.revision: now()}
        completed = self.record.completed or now()
        self.remember(replace(self.record, asked=asked, completed=completed))
        return Snapshot(self.place, self.record)

    def remember(self, record: SnapshotRecord) -> None:
        with disk_errors(self.place):
            write_record(self.place, record)
        self.record = record

    def _have(self, files: tuple[RemoteFile, ...], whole: tuple[RemoteFile, ...]) -> None:
        """Keep what is here and right of ``files``, and fetch the rest; ``whole`` is all of it."""
        missing = [file for file in files if not self._is_here(file)]
        arrived = sum(arrived_bytes(self.place, file) for file in missing)
        to_come = sum(file.size for file in missing) - arrived
        if not missing:
            return
        need_space(self.place, to_come + _SPARE)
        total = sum(file.size for file in whole)
        done = sum(file.size for file in files) - sum(file.size for file in missing)
        try:
            with hub_client() as client:
                fetching = Fetching(self.listing, self.place, client)
                for file in missing:
                    report = self._reporter(file, done, total)
                    self._note(file.name, self._fetched(fetching, file, report))
                    done += file.size
        except DownloadFailed as error:
            branch = None if self.wish.revision == MAIN else self.wish.revision
            command = command_name(self.listing.repository, branch)
            raise DownloadFailed(
                f"{self.listing.repository} cannot be fetched ({error}): check the network "
                f"connection; `midfill model pull {command}` goes on where it stopped"
            ) from error

    def _fetched(
        self, fetching: Fetching, file: RemoteFile, report: Callable[[int], None]
    ) -> Fingerprint:
        import httpx

        with hub_errors(HUB):
            try:
                return fetching.fetch(file, report, self.listener)
            except httpx.HTTPStatusError as error:
                if error.response.status_code in (401, 403):
                    raise not_for_everybody(self.listing.repository) from None
                raise

    def _reporter(self, file: RemoteFile, done: int, total: int) -> Callable[[int], None]:
        message = f"fetching {self.listing.repository} ({total / 1e9:.2f} GB) from {HUB}"

        def report(arrived: int) -> None:
            self.listener(Progress(message, (done + arrived) / max(1, total), file.name))

        return report

    def _is_here(self, file: RemoteFile) -> bool:
        path, known = self.place / file.name, self.record.files.get(file.name)
        with disk_errors(self.place):
            try:
                if known and not self.wish.repair and known.is_untouched(path):
                    return True
                if path.stat().st_size == file.size:
                    found = watched_fingerprint(path, file.name, self.listener)
                    if file.is_in(path, found):
                        self._note(file.name, found)
                        return True
                path.unlink()
            except FileNotFoundError:
                pass
        return False

    def _note(self, name: str, found: Fingerprint) -> None:
        if self.record.files.get(name) != found:
            self.remember(replace(self.record, files={**self.record.files, name: found}))
