"""The data of server-sent events, as vLLM streams them: one JSON document a ``data:`` line.

Read on bytes and line by line: some servers end lines in CR LF, and send comments to keep a
connection open.

Source: https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

from __future__ import annotations

LONGEST_LINE = 2**20
"""Bytes; a chunk of a few tokens has about a thousand."""


class LineTooLong(ValueError):
    """No line of a completion is that long."""


class DataLines:
    """Puts data lines together from the pieces in which they arrive."""

    def __init__(self) -> None:
        self._rest = bytearray()

    def feed(self, piece: bytes) -> list[bytes]:
        """What the data lines hold that this piece completes.

        Raises:
            LineTooLong: a line has more than `LONGEST_LINE` bytes.
        """
        searched = len(self._rest)
        self._rest += piece
        found: list[bytes] = []
        start = 0
        while (end := self._rest.find(b"\n", max(start, searched))) >= 0:
            line = bytes(self._rest[start:end]).removesuffix(b"\r")
            if line.startswith(b"data:"):
                found.append(line.removeprefix(b"data:").strip())
            start = end + 1
        del self._rest[:start]
        if len(self._rest) > LONGEST_LINE:
            raise LineTooLong
        return found
