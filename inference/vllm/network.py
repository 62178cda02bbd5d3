"""The way to a server, as the environment describes it: a proxy, and whose certificates count.

The variables are those that curl and most other programs read. Servers on this machine are reached
without a proxy.
"""

from __future__ import annotations

import os
import ssl
from dataclasses import dataclass
from importlib.util import find_spec
from ipaddress import IPv6Address, ip_address
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import httpx

from midfill.inference.errors import UsageError

CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR")


@dataclass(frozen=True, slots=True)
class ProxyServer:
    """What stands between here and a server.

    Attributes:
        url: its address; may hold a password.
        variable: who names it.
    """

    url: str
    variable: str

    @property
    def host(self) -> str:
        """What people call it."""
        return urlsplit(self.url).netloc.rpartition("@")[2]


def is_loopback(address: str) -> bool:
    """Whether a server is on this machine, as its address says."""
    name = urlsplit(address).hostname or ""
    if name == "localhost":
        return True
    try:
        ip = ip_address(name)
    except ValueError:
        return False
    if isinstance(ip, IPv6Address) and ip.ipv4_mapped is not None:
        return ip.ipv4_mapped.is_loopback
    # to connect to no address in particular is to connect to oneself
    return ip.is_loopback or ip.is_unspecified


def proxy_for(address: str) -> ProxyServer | None:
    """The proxy through which a server is reached, if there is one."""
    if is_loopback(address):
        return None
    parts, proxies = urlsplit(address), getproxies()
    kind = next((kind for kind in (parts.scheme, "all") if proxies.get(kind)), None)
    if kind is None or any(proxy_bypass(name) for name in (parts.netloc, parts.hostname or "")):
        return None
    url = proxies[kind]
    return ProxyServer(url if "://" in url else f"http://{url}", _variable(f"{kind}_proxy"))


@dataclass(frozen=True, slots=True)
class Route:
    """How a server is reached, as `httpx.AsyncClient` takes it."""

    proxy: httpx.Proxy | None
    authorities: ssl.SSLContext


def route_to(address: str, proxy: ProxyServer | None) -> Route:
    """How a server is reached, by the proxy in front of it if there is one.

    Raises:
        UsageError: a variable of the environment cannot be followed; it is named, not quoted.
    """
    encrypted = any(
        url.lower().startswith("https:") for url in (address, proxy.url if proxy else "")
    )
    # without authorities nobody is trusted, so reading them can be left out where nobody has to be
    authorities = _authorities() if encrypted else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    return Route(_checked(proxy, authorities) if proxy else None, authorities)


def _checked(proxy: ProxyServer, authorities: ssl.SSLContext) -> httpx.Proxy:
    scheme = proxy.url.partition("://")[0].lower()
    try:
        url = httpx.URL(proxy.url)
        made = httpx.Proxy(url, ssl_context=authorities if scheme == "https" else None)
        usable = bool(url.host) and (url.port is None or 0 < url.port < 2**16)
    except (httpx.InvalidURL, ValueError):
        usable = False
    if not usable:
        raise UsageError(
            f"{proxy.variable} names no proxy that can be used: give it the form "
            "http://HOST:PORT, or put the server's host into NO_PROXY"
        )
    if scheme.startswith("socks") and find_spec("socksio") is None:
        raise UsageError(
            f"{proxy.variable} names a SOCKS proxy, which needs the package socksio: run "
            "`pip install 'httpx[socks]'`, or put the server's host into NO_PROXY"
        )
    return made


def _authorities() -> ssl.SSLContext:
    try:
        return httpx.create_ssl_context()
    except OSError as error:  # of which ssl's errors are
        variable = next((name for name in CERTIFICATES if os.environ.get(name)), None)
        if variable is None:
            raise
        raise UsageError(
            f"{variable} names no certificates that can be read ({type(error).__name__}): "
            "correct or unset it"
        ) from None


def _variable(name: str) -> str:
    """How a variable is spelled in this environment; proxies may be set elsewhere, too."""
    set_here = (one for one in os.environ if one.lower() == name and os.environ[one])
    return next(set_here, "the system's proxy setting")
