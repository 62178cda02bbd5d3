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
import stat
import sys
import tempfile
import warnings
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from midfill.inference.dead_peers import noticing_dead_peers
from midfill.inference.errors import EngineUnavailable, MidfillError

if TYPE_CHECKING:
    import ssl

    import httpx

LONGEST_SOCKET_PATH = 103
"""Bytes; what macOS allows, Linux allows four more."""


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
    token: str = field(default="", repr=False)

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class TlsAddress:
    """A server elsewhere, by its base address, which begins with ``https://``."""

    url: str
    token: str = field(default="", repr=False)

    def __str__(self) -> str:
        return self.url


Address = UnixAddress | LoopbackAddress | TcpAddress | TlsAddress


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
        case TcpAddress() | TlsAddress():
            return None


def client(address: Address, timeout: httpx.Timeout) -> httpx.Client:
    """A blocking HTTP client for an engine.

    Raises:
        EngineUnavailable: no engine listens at a loopback address.
    """
    import httpx

    way = _way_to(address)
    transport = httpx.HTTPTransport(
        verify=way.verify,
        uds=way.socket,
        limits=_kept(1 if way.verify else 0),
        socket_options=noticing_dead_peers() if way.verify else None,
    )
    return httpx.Client(
        base_url=way.url,
        headers=way.headers,
        transport=transport,
        timeout=timeout,
        trust_env=False,
    )


def async_client(address: Address, timeout: httpx.Timeout) -> httpx.AsyncClient:
    """An asynchronous HTTP client for an engine.

    Raises:
        EngineUnavailable: no engine listens at a loopback address.
    """
    import httpx

    way = _way_to(address)
    transport = httpx.AsyncHTTPTransport(
        verify=way.verify,
        uds=way.socket,
        limits=_kept(KEPT_OPEN if way.verify else 0),
        socket_options=noticing_dead_peers() if way.verify else None,
    )
    return httpx.AsyncClient(
        base_url=way.url,
        headers=way.headers,
        transport=transport,
        timeout=timeout,
        trust_env=False,
    )


KEPT_OPEN = 4
KEPT_SECONDS = 30.0
"""Half of how long a server keeps a connection: it must not close one as a request goes out."""


def _kept(connections: int) -> httpx.Limits:
    # On this machine a new connection costs well under a millisecond, and an engine may close a
    # kept one just as the next request goes out; elsewhere it costs two round trips. An event
    # stream must not use up anybody's share: no maximum.
    import httpx

    return httpx.Limits(
        max_connections=None,
        max_keepalive_connections=connections,
        keepalive_expiry=KEPT_SECONDS,
    )


@dataclass(frozen=True, slots=True)
class _Way:
    """How to get there; ``verify`` is against whom certificates are checked, if there is TLS."""

    url: str
    headers: dict[str, str]
    socket: str | None = None
    verify: ssl.SSLContext | Literal[False] = False


def _way_to(address: Address) -> _Way:
    match address:
        case UnixAddress(path):
            return _Way("http://localhost", {}, str(path))
        case LoopbackAddress(file):
            try:
                found = json.loads(file.read_text("utf-8"))
                port, token = int(found["port"]), str(found["token"])
            except (OSError, ValueError, KeyError, TypeError) as error:
                raise EngineUnavailable(f"no engine listens at {file}") from error
            return _Way(f"http://127.0.0.1:{port}", _bearer(token))
        case TcpAddress(host, port, token):
            name = f"[{host}]" if ":" in host else host
            return _Way(f"http://{name}:{port}", _bearer(token) if token else {})
        case TlsAddress(url, token):
            import ssl

            # The system's authorities, to which a company may have added its own.
            return _Way(url, _bearer(token) if token else {}, verify=ssl.create_default_context())


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
