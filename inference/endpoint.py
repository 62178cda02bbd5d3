"""A server elsewhere, as somebody writes it into their settings. Never imports torch."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

from midfill.inference.errors import UsageError
from midfill.inference.transport import Address, TcpAddress, TlsAddress, UnixAddress

LOOPBACK = ("127.0.0.1", "localhost", "::1")
UNIX = "unix:"


def parse_endpoint(text: str) -> Address:
    """Where ``https://HOST[:PORT]``, ``http://127.0.0.1:PORT`` or ``unix:PATH`` leads.

    Raises:
        UsageError: it has another form, or would send source text unencrypted.
    """
    text = text.strip()
    if text.startswith(UNIX):
        path = Path(text.removeprefix(UNIX)).expanduser()
        if not path.is_absolute():
            raise UsageError(f"the endpoint {_shown(text)}: the socket's path must begin with /")
        return UnixAddress(path)
    try:
        parts = urlsplit(text)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise UsageError(_malformed(text)) from None
    if parts.scheme not in ("http", "https") or not host:
        raise UsageError(_malformed(text))
    if parts.username is not None or parts.path not in ("", "/") or parts.query or parts.fragment:
        raise UsageError(f"the endpoint at {host}: give host and port alone, and no token")
    if parts.scheme == "https":
        return TlsAddress(f"https://{_bracketed(host)}" + (f":{port}" if port else ""))
    if host not in LOOPBACK:
        raise UsageError(
            f"the endpoint http://{host} would be sent your source text unencrypted: use https://"
        )
    if port is None:
        raise UsageError(f"the endpoint http://{host} needs a port")
    return TcpAddress(host, port)


def name_of(address: Address) -> str:
    """One way of writing each endpoint, under which its token is kept."""
    match address:
        case TcpAddress(host, port):
            return f"http://{_bracketed(host)}:{port}"
        case UnixAddress(path):
            return f"{UNIX}{path}"
        case _:
            return str(address)


def with_token(address: Address, token: str) -> Address:
    """The same place, and what to show there; a socket is guarded by its mode."""
    return (
        replace(address, token=token) if isinstance(address, TcpAddress | TlsAddress) else address
    )


def _malformed(text: str) -> str:
    return (
        f"the endpoint {_shown(text)}: write https://HOST:PORT, http://127.0.0.1:PORT or unix:PATH"
    )


def _shown(text: str) -> str:
    """Without what may be a secret in front of the host."""
    return repr(text.rpartition("@")[2][:80])


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
