"""Clients that take their time, over plain sockets."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from echo_service import token_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

LONG = "x" * 100_000


def head(name: str, length: int) -> bytes:
    """The head of a request to fill a hole, with a member's token."""
    return (
        b"POST /v1/infill HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\n"
        b"Content-Length: %d\r\n\r\n" % (token_of(name).encode(), length)
    )


def endless_request(name: str) -> bytes:
    """One whose answer is about fifty megabytes, far more than buffers hold."""
    body = json.dumps({"prefix": LONG, "limits": {"tokens": 512}}).encode()
    return head(name, len(body)) + body


async def connected(port: int, **options: int) -> socket.socket:
    """A connection that holds as little as it can of what comes."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, options.get("buffer", 4096))
    sock.setblocking(False)
    await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", port))
    return sock


async def read_slowly(port: int, name: str, given_up: Callable[[int], bool]) -> float:
    """Ask for much and read a byte a second; seconds until the server has given it up.

    Args:
        given_up: whether the server holds no connection with this port any more. From here it is
            not to be seen: what the system has taken over from the server still comes.
    """
    loop = asyncio.get_running_loop()
    with await connected(port) as sock:
        await loop.sock_sendall(sock, endless_request(name))
        began = read_at = time.monotonic()
        while not given_up(sock.getsockname()[1]):
            assert time.monotonic() - began < 60, "it is never given up"
            await asyncio.sleep(0.1)
            if time.monotonic() - read_at >= 1:
                read_at = time.monotonic()
                await loop.sock_recv(sock, 1)
        return time.monotonic() - began


async def send_slowly(port: int, pieces: Iterable[bytes], every: float) -> tuple[float, bytes]:
    """Send piece by piece; seconds until the server has closed, and what it said before."""
    loop = asyncio.get_running_loop()
    with await connected(port, buffer=65536) as sock:
        began = time.monotonic()
        said = loop.create_task(_all_of(sock))
        for piece in pieces:
            with suppress(ConnectionError):
                await loop.sock_sendall(sock, piece)
            await asyncio.wait({said}, timeout=every)
            if said.done():
                break
        return time.monotonic() - began, await asyncio.wait_for(said, 60)


async def _all_of(sock: socket.socket) -> bytes:
    loop = asyncio.get_running_loop()
    said = b""
    with suppress(ConnectionError):
        while piece := await loop.sock_recv(sock, 65536):
            said += piece
    return said
