"""Server-sent events, as far as Midfill uses them: a name and one line of JSON.

Written and read on bytes: JSON keeps characters such as U+2028 as they are, which text-based line
splitting would take for the end of a line.

Source: https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Event:
    name: str
    data: bytes
    """UTF-8, without a line feed."""


def encode(name: str, data: str) -> bytes:
    """One event; ``data`` is compact JSON, which holds no line break."""
    return f"event: {name}\ndata: {data}\n\n".encode()


class EventReader:
    """Puts events together from the pieces in which they arrive."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, piece: bytes) -> list[Event]:
        """The events that this piece completes."""
        *blocks, self._rest = (self._rest + piece).split(b"\n\n")
        return [_event(block) for block in blocks]


def _event(block: bytes) -> Event:
    fields = dict(line.split(b": ", 1) for line in block.split(b"\n") if b": " in line)
    return Event(fields.get(b"event", b"").decode(), fields.get(b"data", b""))
