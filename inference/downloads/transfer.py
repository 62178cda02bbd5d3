"""The bytes of one file over HTTP, taken up again where they broke off."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from midfill.inference.errors import DownloadFailed

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import BinaryIO

    import httpx


@dataclass(frozen=True, slots=True)
class Transfer:
    """One file on its way.

    Attributes:
        client: see `hub_client`.
        url: the file's address.
        size: bytes that it has to have.
        name: what people call the place that it comes from.
    """

    client: httpx.Client
    url: str
    size: int
    name: str

    def append(self, target: BinaryIO, done: int, report: Callable[[int], None]) -> None:
        """Fetch from byte ``done`` on; taken up again for as long as each try brings more.

        Args:
            target: open for writing; what has arrived stays there, whatever happens.
            report: told the number of bytes that are there by now; may raise, to break off.

        Raises:
            DownloadFailed: the server has another file.
            httpx.HTTPError: it refuses, breaks off or is out of reach.
            OSError: ``target`` cannot be written.
        """
        import httpx

        while done < self.size:
            before = done
            try:
                self._fetch(target, done, report)
            except httpx.TransportError:
                if target.tell() <= before:
                    raise
            done = target.tell()
            if done <= before:
                raise DownloadFailed(f"{self.name} breaks off")

    def _fetch(self, target: BinaryIO, done: int, report: Callable[[int], None]) -> None:
        """One request; ``target`` stands behind what has arrived."""
        wanted = {"Range": f"bytes={done}-"} if done else {}
        with self.client.stream("GET", self.url, headers=wanted) as answer:
            answer.raise_for_status()
            if answer.status_code != 206:
                done = 0  # the server begins at the beginning, whatever it was asked
            rest = str(self.size - done)
            if answer.headers.get("Content-Length", rest) != rest:
                # such as the page that asks a hotel's guests to sign in
                raise DownloadFailed(f"{self.name} has another file")
            target.seek(done)
            target.truncate()
            for chunk in answer.iter_bytes():
                done += len(chunk)
                if done > self.size:
                    raise DownloadFailed(f"{self.name} has another file")
                target.write(chunk)
                report(done)
