"""Where an engine is to be found, and how to talk to it there without anybody else listening.

A Unix socket that the user alone may open; where there are none, loopback TCP whose port and random
token stand in a file that the user alone may read. ``MIDFILL_RUNTIME_DIR`` moves both,
``MIDFILL_TRANSPORT=tcp`` forces the second. Never imports torch.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
import socket
import stat
import sys
import tempfile
import warnings
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from midfill.inference.errors import EngineUnavailable, MidfillError, UsageError

if TYPE_CHECKING:
    import httpx

LONGEST_SOCKET_PATH = 103
"""Bytes; what macOS allows, Linux allows four more."""

BACKLOG = 128


@dataclass(frozen=True, slots=True)
class UnixAddress:
    """A socket in the file system."""

    path: Path

    def __str__(self) -> str:
        return str(self.path)


@dataclass(frozen=True, slots=True)
class LoopbackAddress:
    """A free port of this machine; ``file`` names it and its token while an engine listens."""

    file: Path

    def __str__(self) -> str:
        return str(self.file)


@dataclass(frozen=True, slots=True)
class TcpAddress:
    """A fixed port. ``token`` is what a client shows; an engine has a file of tokens instead."""

    host: str
    port: int
    token: str = ""

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


Address = UnixAddress | LoopbackAddress | TcpAddress


def engine_address(model: str) -> Address:
    """Where the user's shared engine of this model listens, or will.

    Raises:
        MidfillError: the runtime folder is not the user's alone.
    """
    folder = runtime_folder()
    name = f"engine-{slug(model)}"
    if sys.platform == "win32" or os.environ.get("MIDFILL_TRANSPORT") == "tcp":
        return LoopbackAddress(folder / f"{name}.tcp")
    path = folder / f"{name}.sock"
    if len(os.fsencode(path)) > LONGEST_SOCKET_PATH:
        path = _short_folder(folder) / path.name
    return UnixAddress(path)


def runtime_folder() -> Path:
    """The folder of the sockets, made if it is not there yet.

    Raises:
        MidfillError: it cannot be made, or is not the user's alone.
    """
    chosen = os.environ.get("MIDFILL_RUNTIME_DIR")
    try:
        return private_folder(Path(chosen) if chosen else _default_runtime_folder())
    except OSError as error:
        raise MidfillError(
            f"cannot make the folder for the engine's socket ({error}): "
            "set MIDFILL_RUNTIME_DIR to a folder of yours"
        ) from error


def private_folder(folder: Path) -> Path:
    """Make a folder that only the user may enter, or check that it is one.

    Raises:
        MidfillError: it is a link, somebody else's, or open to others.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    if sys.platform == "win32":
        return folder
    found = folder.lstat()
    if stat.S_ISLNK(found.st_mode):
        fault = "is a symbolic link"
    elif not stat.S_ISDIR(found.st_mode):
        fault = "is not a folder"
    elif found.st_uid != os.geteuid():
        fault = f"belongs to the user with id {found.st_uid}"
    elif found.st_mode & 0o077:
        fault = "can be entered by others (chmod 700 it)"
    else:
        return folder
    raise MidfillError(
        f"{folder} {fault}: the engine's socket needs a folder that is yours alone; "
        "put that right, or set MIDFILL_RUNTIME_DIR to another"
    )


def slug(model: str) -> str:
    """A short file name for a model's name; different models have different ones."""
    if re.fullmatch(r"[a-z0-9-]{1,24}", model):
        return model
    words = re.sub(r"[^a-z0-9]+", "-", model.lower()).strip("-")[-16:].strip("-")
    return f"{words}-{hashlib.sha256(os.fsencode(model)).hexdigest()[:8]}"


def lock_file(address: Address) -> Path | None:
    """The file whose lock an engine holds while it serves an address; a fixed port is its own."""
    match address:
        case UnixAddress(path) | LoopbackAddress(path):
            return path.with_name(path.name + ".lock")
        case TcpAddress():
            return None


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
        self._identity = _identity(self._file)

    def close(self) -> None:
        """Stop listening; take away the file unless somebody has put another in its place."""
        self.socket.close()
        if self._file is not None and _identity(self._file) == self._identity:
            self._file.unlink(missing_ok=True)


# There is no TLS on any of these ways; ``verify=False`` spares reading the certificates of the web.


def client(address: Address, timeout: httpx.Timeout) -> httpx.Client:
    """A blocking HTTP client for an engine.

    Raises:
        EngineUnavailable: no engine listens at a loopback address.
    """
    import httpx

    url, headers, path = _way_to(address)
    transport = httpx.HTTPTransport(verify=False, uds=path, limits=_no_reuse())
    return httpx.Client(
        base_url=url, headers=headers, transport=transport, timeout=timeout, trust_env=False
    )


def async_client(address: Address, timeout: httpx.Timeout) -> httpx.AsyncClient:
    """An asynchronous HTTP client for an engine.

    Raises:
        EngineUnavailable: no engine listens at a loopback address.
    """
    import httpx

    url, headers, path = _way_to(address)
    transport = httpx.AsyncHTTPTransport(verify=False, uds=path, limits=_no_reuse())
    return httpx.AsyncClient(
        base_url=url, headers=headers, transport=transport, timeout=timeout, trust_env=False
    )


def _no_reuse() -> httpx.Limits:
    # The engine may close a kept connection just as the next request goes out on it; a new one
    # costs well under a millisecond. An event stream must not use up anybody's share: no maximum.
    import httpx

    return httpx.Limits(max_connections=None, max_keepalive_connections=0)


def _way_to(address: Address) -> tuple[str, dict[str, str], str | None]:
    """The base URL, the headers, and the socket's path if there is one."""
    match address:
        case UnixAddress(path):
            return "http://localhost", {}, str(path)
        case LoopbackAddress(file):
            try:
                found = json.loads(file.read_text("utf-8"))
                port, token = int(found["port"]), str(found["token"])
            except (OSError, ValueError, KeyError, TypeError) as error:
                raise EngineUnavailable(f"no engine listens at {file}") from error
            return f"http://127.0.0.1:{port}", _bearer(token), None
        case TcpAddress(host, port, token):
            name = f"[{host}]" if ":" in host else host
            return f"http://{name}:{port}", _bearer(token) if token else {}, None


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def _default_runtime_folder() -> Path:
    import platformdirs

    with warnings.catch_warnings():
        # platformdirs warns where XDG_RUNTIME_DIR is unset; its fallback is checked here anyway.
        warnings.simplefilter("ignore")
        return Path(platformdirs.user_runtime_dir("midfill", appauthor=False))


def _short_folder(long: Path) -> Path:
    """A folder whose path leaves room for a socket's name, one for every long one and user."""
    name = f"midfill-{os.geteuid()}-{hashlib.sha256(os.fsencode(long)).hexdigest()[:8]}"
    return private_folder(Path(min(tempfile.gettempdir(), "/tmp", key=len)) / name)


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
    listening = socket.socket(family, socket.SOCK_STREAM)
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
