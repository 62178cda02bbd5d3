"""An engine that fills every hole at once with the same kind of line, to measure all but an engine.

It listens where the environment says that the user's engine does, speaks the engine's protocol, and
writes a line of JSON to standard output for each fill: when it had read the request and when its
answer was out, on the system's monotonic clock. It ends when standard input does.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import sys
import time
from itertools import count
from typing import TYPE_CHECKING

from midfill.inference.listening import Listener
from midfill.inference.server_sent_events import encode
from midfill.inference.transport import engine_address
from midfill.inference.version import version
from midfill.inference.wire import (
    EngineState,
    Final,
    Health,
    InfillRequest,
    Stop,
)

if TYPE_CHECKING:
    from asyncio import StreamReader, StreamWriter

MODEL = "embedded"
CONFIDENCE = 0.9

_numbers = count(1)


def fill(request: InfillRequest) -> str:
    """A new statement on a blank line, else something to end one with; no two are the same."""
    number = next(_numbers)
    blank = not request.prefix.rpartition("\n")[2].strip()
    return f"{'counted_total' if blank else ''} = remember(first, second) + {number}"


async def serve(reader: StreamReader, writer: StreamWriter) -> None:
    """Answer one connection's one request."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
        length = [line for line in head.lower().split(b"\r\n") if b"content-length:" in line]
        body = await reader.readexactly(int(length[0].split(b":")[1])) if length else b""
        began = time.monotonic()
        path = head.split(b" ", 2)[1]
        if path == b"/v1/infill":
            writer.write(_headers("text/event-stream") + encode("final", _final(body)))
            await writer.drain()
            writer.close()
            print(json.dumps([began, time.monotonic()]), flush=True)
            return
        if path == b"/v1/events":
            writer.write(_headers("text/event-stream") + encode("status", _health()))
            await reader.read()  # until the client goes
        else:
            writer.write(_headers("application/json") + _health().encode())
        await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


def _final(body: bytes) -> str:
    request = InfillRequest.model_validate_json(body)
    return Final(
        text=fill(request),
        confidence=CONFIDENCE,
        stop=Stop.LINE_END,
        model=MODEL,
        tokens=8,
        steps=1,
    ).model_dump_json()


def _health() -> str:
    return Health(
        version=version(), model=MODEL, state=EngineState.READY, pid=os.getpid()
    ).model_dump_json()


def _headers(kind: str) -> bytes:
    return f"HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\nconnection: close\r\n\r\n".encode()


async def main() -> None:
    listener = Listener(engine_address(MODEL))
    start = (
        asyncio.start_unix_server
        if getattr(socket, "AF_UNIX", None) == listener.socket.family
        else asyncio.start_server
    )
    server = await start(serve, sock=listener.socket, limit=2**24)
    print(json.dumps("listening"), flush=True)
    await asyncio.to_thread(sys.stdin.buffer.read)
    server.close()
    listener.close()


if __name__ == "__main__":
    asyncio.run(main())
