"""The bytes of one file over HTTP, taken up again where they broke off."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from midfill.inference.errors import DownloadFailed

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import BinaryIO

    import httpx

FEW_BYTES = 1_000_000
"""A try that brings fewer than these is a poor one."""

POOR_TRIES = 10
"""So many poor tries in a row are enough."""

SHORTEST_PAUSE, LONGEST_PAUSE = 0.1, 5.0
"""Seconds between two tries; doubled from one poor try to the next."""

_BEAT_SECONDS = 0.5

_PART = re.compile(r"bytes (\d+)-\d+/(\d+|\*)")


@dataclass(frozen=True, slots=True)
class Transfer:
    """One file on its way.

    Attributes:
        client: see `hub_client`.
        url: the file's address.
        size: bytes that it has to have.
        name: what people call the place that it comes from.
        sleep: waits for so many seconds.
    """

    client: httpx.Client
    url: str
    size: int
    name: str
    sleep: Callable[[float], None] = time.sleep

    def append(self, target: BinaryIO, done: int, report: Callable[[int], None]) -> None:
        """Fetch from byte ``done`` on; taken up again for as long as each try brings more.

        Args:
            target: open for writing; what has arrived stays there, whatever happens.
            report: told the number of bytes that are there by now; may raise, to break off.

        Raises:
            DownloadFailed: the server has another file, or breaks off again and again.
            httpx.HTTPError: it refuses, breaks off or is out of reach.
            OSError: ``target`` cannot be written.
        """
        import httpx

        poor_tries = 0
        while done < self.size:
            before = done
            try:
                self._fetch(target, done, report)
            except httpx.TransportError:
                if target.tell() <= before:
                    raise
            done = target.tell()
            if done >= self.size:
                return
            poor_tries = poor_tries + 1 if done - before < FEW_BYTES else 0
            if done <= before or poor_tries == POOR_TRIES:
                raise DownloadFailed(f"{self.name} breaks off")
            pause = SHORTEST_PAUSE * 2 ** max(0, poor_tries - 1)
            self._wait(min(pause, LONGEST_PAUSE), lambda: report(target.tell()))

    def _fetch(self, target: BinaryIO, done: int, report: Callable[[int], None]) -> None:
        """One request; ``target`` stands behind what has arrived."""
        wanted = {"Range": f"bytes={done}-"} if done else {}
        with self.client.stream("GET", self.url, headers=wanted) as answer:
            answer.raise_for_status()
            if answer.status_code == 206:
                self._check_part(answer.headers.get("Content-Range", ""), done)
            else:
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

    def _check_part(self, told: str, done: int) -> None:
        """Make sure that what comes is what is missing."""
        part = _PART.fullmatch(told.strip())
        if part is None or int(part[1]) != done:
            raise DownloadFailed(f"{self.name} sends another part than it was asked for")
        if part[2] not in ("*", str(self.size)):
            raise DownloadFailed(f"{self.name} has another file")

    def _wait(self, seconds: float, beat: Callable[[], None]) -> None:
        """Pause, in stretches short enough for whoever wants to break off."""
        while seconds > 0:
            beat()
            self.sleep(min(seconds, _BEAT_SECONDS))
            seconds -= _BEAT_SECONDS
