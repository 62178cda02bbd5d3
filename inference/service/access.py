"""What stands in front of the engine's app, by where it listens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from starlette.routing import Route
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from midfill.inference.errors import UsageError
from midfill.inference.service.access_log import AccessLog
from midfill.inference.service.body_guard import BodyGuard
from midfill.inference.service.callers import Credential
from midfill.inference.service.crowd import Crowd
from midfill.inference.service.gate import LOOPBACK_NAMES, Gate
from midfill.inference.service.rates import CallerRates, Guesses
from midfill.inference.service.tls import TlsFiles
from midfill.inference.transport import TcpAddress
from midfill.inference.wire import MAX_BODY_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from starlette.applications import Starlette
    from starlette.types import ASGIApp

    from midfill.inference.listening import Listener
    from midfill.inference.service.metrics import Metrics

    Credentials = Callable[[], Sequence[Credential]]

LOOPBACK = ("127.0.0.1", "localhost", "::1")
REQUESTS_PER_MINUTE = 600.0


@dataclass(frozen=True, slots=True)
class Access:
    """Who may ask an engine that listens on a fixed port, and for how much.

    Attributes:
        credentials: asked at every request, such as a `TokenFile`.
        tls: with which the engine encrypts; None where something else does, or nothing needs to.
        hosts: names that requests may use for this server; None for any.
        per_minute: requests of one caller; None without limit.
        max_body: bytes of one request.
        metrics_caller: who may read ``/metrics`` and nothing else; "" for everybody.
        proxy: the address whose word on where requests come from is taken; "" for none.
        shared: several people use it, so that none of them may end it.
        written: whether every request is written into the log.
    """

    credentials: Credentials
    tls: TlsFiles | None = None
    hosts: frozenset[str] | None = LOOPBACK_NAMES
    per_minute: float | None = REQUESTS_PER_MINUTE
    max_body: int = MAX_BODY_BYTES
    metrics_caller: str = ""
    proxy: str = ""
    shared: bool = False
    written: bool = False


def access_for(
    host: str,
    credentials: Credentials,
    *,
    certificate: Path | None = None,
    key: Path | None = None,
    plain_http: bool = False,
    allow_hosts: Sequence[str] = (),
    per_minute: float = REQUESTS_PER_MINUTE,
    max_body: int = MAX_BODY_BYTES,
    metrics_caller: str = "",
    proxy: str = "",
) -> Access:
    """What a server that listens at ``host`` needs of its callers.

    Beyond loopback any name of the server will do unless there are ``allow_hosts``: every request
    shows a token there, which no web page has. On loopback these come besides its own names.

    Args:
        plain_http: something else encrypts what comes from elsewhere.
        per_minute: 0 for no limit.

    Raises:
        UsageError: source text and tokens would travel unencrypted, or options contradict.
    """
    alone = host in LOOPBACK
    if (certificate is None) != (key is None):
        raise UsageError("--tls-cert and --tls-key belong together: give both")
    if certificate and plain_http:
        raise UsageError("--plain-http contradicts --tls-cert: choose one")
    if not alone and not certificate and not plain_http:
        raise UsageError(
            f"--host {host}: source text and tokens would travel unencrypted; give --tls-cert and "
            "--tls-key, or have a proxy do TLS in front and say so with --plain-http"
        )
    names = frozenset(name.lower() for name in allow_hosts)
    return Access(
        credentials,
        tls=TlsFiles(certificate, key) if certificate and key else None,
        hosts=names | LOOPBACK_NAMES if alone else names or None,
        per_minute=per_minute or None,
        max_body=max_body,
        metrics_caller=metrics_caller,
        proxy=proxy,
        shared=not alone or plain_http or certificate is not None,
        written=True,
    )


def gated(app: ASGIApp, access: Access) -> ASGIApp:
    """An app behind the gate and the limits of those who show a token."""
    return Gate(
        BodyGuard(app, access.max_body),
        access.credentials,
        hosts=access.hosts,
        closed=("/v1/drain",) if access.shared else (),
        rates=CallerRates(access.per_minute) if access.per_minute else None,
        guesses=Guesses(),
        metrics_caller=access.metrics_caller,
    )


def behind_proxy(app: ASGIApp, access: Access) -> ASGIApp:
    """An app that is told where requests come from by the proxy in front of it, if there is one."""
    if not access.proxy:
        return app
    return ProxyHeadersMiddleware(app, trusted_hosts=access.proxy)  # type: ignore[arg-type, return-value]


def guarded(
    engine: Starlette,
    listener: Listener,
    access: Access | None,
    metrics: Metrics,
    full: Callable[[], bool] = lambda: False,
) -> ASGIApp:
    """The app behind all that its listener needs; a Unix socket needs no gate.

    Args:
        full: whether the server has as many connections as it answers.

    Raises:
        UsageError: everybody could ask.
    """
    if isinstance(listener.address, TcpAddress) and access is None:
        raise UsageError("a port needs tokens, so that not everybody may ask")
    routes = frozenset(route.path for route in engine.routes if isinstance(route, Route))
    app: ASGIApp
    if listener.token is not None:
        only = (Credential.of("", listener.token),)
        app = Gate(BodyGuard(engine), lambda: only, revocable=False)
    else:
        app = gated(engine, access) if access else BodyGuard(engine)
    written = bool(access and access.written)
    app = AccessLog(Crowd(app, full), routes, metrics, written=written)
    return behind_proxy(app, access) if access else app
