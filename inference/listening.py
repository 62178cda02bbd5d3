"""A listening socket at an engine's address, and what it puts into the file system."""

from __future__ import annotations

import json
import os
import secrets
import socket
import stat
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from midfill.inference.errors import UsageError
from midfill.inference.transport import (
    LONGEST_SOCKET_PATH,
    LoopbackAddress,
    TcpAddress,
    TlsAddress,
    UnixAddress,
)

if TYPE_CHECKING:
    from midfill.inference.transport import Address

BACKLOG = 128


class Listener:
    """A listening socket, and what it has put into the file system.

    Only the holder of the address's lock may open one: what a dead engine left there is removed.

    Raises:
        UsageError: something else stands at the path, or somebody listens at the port.
    """

    def __init__(self, address: Address) -> None:
        self.address = address
        self.token: str | None = None
        self._file: Path | None = None
        match address:
            case UnixAddress(path):
                self.socket = _unix_socket(path)
                self._file = path
            case LoopbackAddress(file):
                self.socket = _tcp_socket("127.0.0.1", 0)
                self.token = secrets.token_urlsafe(32)
                _write_private(
                    file, json.dumps({"port": self.socket.getsockname()[1], "token": self.token})
                )
                self._file = file
            case TcpAddress(host, port):
                self.socket = _tcp_socket(host, port)
            case TlsAddress():
                raise UsageError(f"{address} is where clients ask: listen at a host and port")
        self._identity = _identity(self._file)

    def close(self) -> None:
        """Stop listening; take away the file unless somebody has put another in its place."""
        self.socket.close()
        if self._file is not None and _identity(self._file) == self._identity:
            self._file.unlink(missing_ok=True)


def _unix_socket(path: Path) -> socket.socket:
    if len(os.fsencode(path)) > LONGEST_SOCKET_PATH:
        raise UsageError(
            f"the socket's path {path} is longer than {LONGEST_SOCKET_PATH} bytes: "
            "choose a shorter one"
        )
    with suppress(FileNotFoundError):
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise UsageError(f"{path} is there already and is not a socket: choose another path")
        path.unlink()
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        listening.bind(str(path))
        # From here on a client that connects waits for its answer instead of being refused.
        listening.listen(BACKLOG)
    except OSError as error:
        listening.close()
        raise UsageError(f"cannot listen at {path}: {error.strerror or error}") from error
    finally:
        os.umask(before)
    return listening


def _tcp_socket(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # With the protocol's number asyncio sends small answers at once (TCP_NODELAY), without it not.
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    if sys.platform != "win32":
        # On Windows the same option would let a second process listen at the port.
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
        listening.listen(BACKLOG)
    except OSError as error:
        listening.close()
        raise UsageError(f"cannot listen at {host}:{port}: {error.strerror or error}") from error
    return listening


def _write_private(file: Path, text: str) -> None:
    """Put a file of mode 0600 in place in one step."""
    handle, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}-")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as new:
            new.write(text)
        Path(name).replace(file)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _identity(file: Path | None) -> tuple[int, int] | None:
    if file is None:
        return None
    try:
        found = file.lstat()
    except OSError:
        return None
    return found.st_dev, found.st_ino
