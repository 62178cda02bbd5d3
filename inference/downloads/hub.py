"""The model hub as a source: one file of a repository, over HTTP.

`huggingface_hub` knows where the hub is and who the user is there. The transfer is done here,
because its own starts from nothing again after an interruption, and tries for 23 seconds to reach
a hub that is out of reach. ``HF_ENDPOINT``, ``HF_HUB_OFFLINE`` and ``HF_TOKEN`` are honoured.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from midfill.inference.errors import DownloadFailed
from midfill.inference.version import version

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import BinaryIO

    import httpx

    from midfill.inference.downloads.verified_file import PublishedFile

PROBE_SECONDS = 3.0
"""A hub that has not answered by then is taken for out of reach."""

STALL_SECONDS = 15.0
"""A transfer that brings nothing for so long is taken for broken."""


@dataclass(frozen=True, slots=True)
class Hub:
    """One file of a repository at a fixed revision."""

    repository: str
    revision: str
    file: str
    name: str = "the model hub"

    def append(
        self, file: PublishedFile, partial: Path, intact: int, report: Callable[[int], None]
    ) -> None:
        """See `Source.append`. Takes the transfer up again for as long as each try brings more."""
        import httpx
        from huggingface_hub import get_token, hf_hub_url, is_offline_mode

        if is_offline_mode():
            raise DownloadFailed(f"{self.name} is switched off by HF_HUB_OFFLINE")
        url = hf_hub_url(
            self.repository,
            self.file,
            revision=self.revision,
            endpoint=os.environ.get("HF_ENDPOINT", "").rstrip("/") or None,
        )
        # compressed, neither sizes nor offsets would be those of the file
        headers = {"Accept-Encoding": "identity", "User-Agent": f"midfill/{version()}"}
        if token := get_token():
            headers["Authorization"] = f"Bearer {token}"
        timeout = httpx.Timeout(STALL_SECONDS, connect=PROBE_SECONDS)
        done = sum(piece.size for piece in file.pieces[:intact])
        try:
            with httpx.Client(headers=headers, timeout=timeout, follow_redirects=True) as client:
                self._probe(client, url, file.size)
                with partial.open("r+b" if partial.exists() else "wb") as target:
                    while done < file.size:
                        before = done
                        try:
                            self._transfer(client, url, file.size, target, done, report)
                        except httpx.TransportError:
                            if target.tell() <= before:
                                raise
                        done = target.tell()
        except httpx.HTTPStatusError as error:
            raise DownloadFailed(f"{self.name} answers {error.response.status_code}") from error
        except httpx.TimeoutException as error:
            raise DownloadFailed(f"{self.name} does not answer") from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise DownloadFailed(f"{self.name} cannot be reached") from error

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

    def _transfer(
        self,
        client: httpx.Client,
        url: str,
        size: int,
        target: BinaryIO,
        done: int,
        report: Callable[[int], None],
    ) -> None:
        """Fetch from byte ``done`` on; ``target`` stands behind what has arrived."""
        wanted = {"Range": f"bytes={done}-"} if done else {}
        with client.stream("GET", url, headers=wanted) as answer:
            answer.raise_for_status()
            if answer.status_code != 206:
                done = 0  # the server begins at the beginning, whatever it was asked
            if answer.headers.get("Content-Length") != str(size - done):
                # such as the page that asks a hotel's guests to sign in
                raise DownloadFailed(f"{self.name} has another file")
            target.seek(done)
            target.truncate()
            for chunk in answer.iter_bytes():
                target.write(chunk)
                done += len(chunk)
                report(done)
