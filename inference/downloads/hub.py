"""The model hub as a source: one file of a repository, over HTTP.

`huggingface_hub` knows where the hub is and who the user is there. The transfer is done here,
because its own starts from nothing again after an interruption, and tries for 23 seconds to reach
a hub that is out of reach.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from midfill.inference.downloads.hub_access import (
    HUB,
    OFFLINE_VARIABLE,
    PROBE_SECONDS,
    hub_client,
    hub_endpoint,
    hub_errors,
    hub_is_off,
)
from midfill.inference.downloads.transfer import Transfer
from midfill.inference.errors import DownloadFailed, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import httpx

    from midfill.inference.downloads.verified_file import PublishedFile


@dataclass(frozen=True, slots=True)
class Hub:
    """One file of a repository at a fixed revision."""

    repository: str
    revision: str
    file: str
    name: str = HUB

    def append(
        self, file: PublishedFile, partial: Path, intact: int, report: Callable[[int], None]
    ) -> None:
        """See `Source.append`. Takes the transfer up again for as long as each try brings more."""
        from huggingface_hub import hf_hub_url

        if hub_is_off():
            raise DownloadFailed(f"{self.name} is switched off by {OFFLINE_VARIABLE}")
        url = hf_hub_url(
            self.repository, self.file, revision=self.revision, endpoint=hub_endpoint()
        )
        done = sum(piece.size for piece in file.pieces[:intact])
        try:
            client = hub_client()
        except UsageError as error:  # another source may do without what is set up wrong here
            raise DownloadFailed(str(error)) from error
        with hub_errors(self.name), client:
            self._probe(client, url, file.size)
            with partial.open("r+b" if partial.exists() else "wb") as target:
                Transfer(client, url, file.size, self.name).append(target, done, report)

    def _probe(self, client: httpx.Client, url: str, size: int) -> None:
        """One short request, to see whether the hub is there and has a file of this size.

        Where it redirects to is not asked: the store behind a hub may refuse HEAD.
        """
        answer = client.head(url, timeout=PROBE_SECONDS, follow_redirects=False)
        told = answer.headers.get("X-Linked-Size", str(size))
        if not answer.has_redirect_location:
            answer.raise_for_status()
            told = answer.headers.get("Content-Length", told)
        if told != str(size):
            raise DownloadFailed(f"{self.name} has another file")
