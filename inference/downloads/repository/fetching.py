"""One file of a repository: from the hub to a place where only what is right ever stands."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from midfill.inference.downloads.cache_folder import disk_errors
from midfill.inference.downloads.hub_access import HUB, hub_endpoint
from midfill.inference.downloads.transfer import Transfer
from midfill.inference.downloads.verified_file import watched_fingerprint
from midfill.inference.errors import WeightsCorrupt

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import httpx

    from midfill.inference.downloads.repository.listing import Listing
    from midfill.inference.downloads.repository.remote_file import RemoteFile
    from midfill.inference.downloads.verified_file import Fingerprint
    from midfill.inference.progress import ProgressListener


def partial_file(folder: Path, name: str) -> Path:
    """Where a file is put together until it is complete."""
    return folder / f"{name}.partial"


def arrived_bytes(folder: Path, file: RemoteFile) -> int:
    """How much of a file has arrived in earlier attempts."""
    try:
        size = partial_file(folder, file.name).stat().st_size
    except OSError:
        return 0
    return size if size <= file.size else 0


@dataclass(frozen=True, slots=True)
class Fetching:
    """Files of one listing on their way into a folder, which is the caller's alone.

    Attributes:
        client: see `hub_client`.
    """

    listing: Listing
    folder: Path
    client: httpx.Client

    def fetch(
        self, file: RemoteFile, report: Callable[[int], None], listener: ProgressListener
    ) -> Fingerprint:
        """Fetch a file, going on where an earlier attempt stopped.

        What has arrived stays for the next time; a complete file that is not the one that was
        listed does not. If that began in an earlier attempt, it is fetched anew at once.

        Args:
            report: told the number of bytes of the file that are there; may raise, to break off.
            listener: told how far the check has come.

        Returns:
            The fingerprint of the file, which stands in the folder now.

        Raises:
            WeightsCorrupt: the hub has another file than it listed.
            DownloadFailed, httpx.HTTPError: see `Transfer.append`.
            MidfillError: see `disk_errors`.
        """
        while True:
            done = arrived_bytes(self.folder, file)
            if found := self._attempt(file, done, report, listener):
                return found
            if done == 0:
                raise WeightsCorrupt(
                    f"{file.name} of {self.listing.repository} is not what its publisher "
                    "published, going by its checksum; it has been deleted: run `midfill model "
                    f"pull {self.listing.repository}` again, and ask the publisher if that fails"
                )

    def _attempt(
        self,
        file: RemoteFile,
        done: int,
        report: Callable[[int], None],
        listener: ProgressListener,
    ) -> Fingerprint | None:
        """Complete the partial file; None if it turned out to be another one, and is gone."""
        from huggingface_hub import hf_hub_url

        partial = partial_file(self.folder, file.name)
        url = hf_hub_url(
            self.listing.repository,
            file.name,
            revision=self.listing.commit,
            endpoint=hub_endpoint(),
        )
        with disk_errors(self.folder, file.size - done):
            with partial.open("r+b" if done else "wb") as target:
                target.seek(done)
                report(done)
                Transfer(self.client, url, file.size, HUB).append(target, done, report)
                target.flush()
                os.fsync(target.fileno())
            found = watched_fingerprint(partial, file.name, listener)
            if file.is_in(partial, found):
                partial.replace(self.folder / file.name)
                return found
            partial.unlink()
        return None
