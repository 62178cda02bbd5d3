"""``midfill serve``: the engine over HTTP."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path  # noqa: TC003 (typer reads the annotations)
from typing import TYPE_CHECKING, Annotated

import typer

from midfill.inference.errors import UsageError

if TYPE_CHECKING:
    from midfill.inference.service.backend import Engine
    from midfill.inference.transport import Address


class LogFormat(StrEnum):
    TEXT = "text"
    JSON = "json"


def serve(
    socket: Annotated[
        Path | None, typer.Option(help="Listen at this Unix socket, readable by you alone.")
    ] = None,
    host: Annotated[
        str | None,
        typer.Option(help="Listen on TCP at this address; needs tokens, and TLS beyond loopback."),
    ] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="The TCP port.")] = None,
    token_file: Annotated[
        Path | None,
        typer.Option(
            help="Who may ask over TCP: one NAME TOKEN a line, read again on change; see "
            "`midfill token`."
        ),
    ] = None,
    tls_cert: Annotated[
        Path | None, typer.Option(help="PEM file: the certificate and those that lead to it.")
    ] = None,
    tls_key: Annotated[Path | None, typer.Option(help="PEM file: the certificate's key.")] = None,
    plain_http: Annotated[
        bool, typer.Option("--plain-http", help="A proxy in front does TLS: none is needed here.")
    ] = False,
    proxy: Annotated[
        str,
        typer.Option(
            metavar="ADDRESS", help="The proxy whose X-Forwarded-For tells where requests are from."
        ),
    ] = "",
    allow_host: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="A name under which this server may be asked, and no other; may be repeated. On "
            "loopback besides localhost, elsewhere without it any.",
        ),
    ] = None,
    rate: Annotated[
        float, typer.Option(min=0, help="Requests a minute of each caller; 0 for no limit.")
    ] = 600.0,
    max_body_mib: Annotated[
        float, typer.Option(min=0.01, max=8, help="The largest request, in MiB.")
    ] = 8.0,
    metrics_token: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="The one name of the token file that may read /metrics, and nothing else; "
            "without it everybody there may read them.",
        ),
    ] = "",
    log_format: Annotated[
        LogFormat, typer.Option(help="Lines for people, or a JSON object each.")
    ] = LogFormat.TEXT,
    model: Annotated[str, typer.Option(help="Which model; see `midfill model list`.")] = "embedded",
    device: Annotated[
        str | None, typer.Option(help="A torch device; by default a big model's is a GPU, if any.")
    ] = None,
    idle_minutes: Annotated[
        float, typer.Option(min=0.01, help="Unload the model after so long without a request.")
    ] = 10.0,
    context_mib: Annotated[
        float | None,
        typer.Option(
            min=1,
            help="What is kept of encoded contexts, in MiB: about 13 a document. By default 48, "
            "and 1024 over TCP.",
        ),
    ] = None,
    fills_at_once: Annotated[
        int | None,
        typer.Option(min=1, max=64, help="Fills that share steps; by default as many as gain."),
    ] = None,
    on_demand: Annotated[
        bool, typer.Option("--on-demand", hidden=True, help="Stop when nobody is connected.")
    ] = False,
    grace_seconds: Annotated[
        float, typer.Option(hidden=True, min=0.1, help="How long --on-demand waits for somebody.")
    ] = 60.0,
) -> None:
    """Serve the engine over HTTP, by default where your editors look for it."""
    from midfill.inference.models.reference import EMBEDDED
    from midfill.inference.service.access import access_for
    from midfill.inference.service.server import ServiceLimits
    from midfill.inference.service.server import serve as serve_engine
    from midfill.inference.service.token_file import TokenFile
    from midfill.inference.transport import TcpAddress
    from midfill.lsp.engine_log import log_file, log_to_file, log_to_stderr

    for_tcp = {
        "--token-file": token_file,
        "--tls-cert": tls_cert,
        "--tls-key": tls_key,
        "--plain-http": plain_http,
        "--proxy": proxy,
        "--allow-host": allow_host,
        "--metrics-token": metrics_token,
    }
    address = _address(model, socket, host, port, [name for name in for_tcp if for_tcp[name]])
    if on_demand:
        log_to_file(log_file(model))
    else:
        log_to_stderr(as_json=log_format is LogFormat.JSON)
    access = None
    if isinstance(address, TcpAddress):
        if token_file is None:
            raise UsageError("--host/--port need --token-file, so that not everybody may ask")
        tokens = TokenFile(token_file)
        access = access_for(
            address.host,
            tokens,
            certificate=tls_cert,
            key=tls_key,
            plain_http=plain_http,
            allow_hosts=allow_host or (),
            per_minute=rate,
            max_body=int(max_body_mib * 2**20),
            metrics_caller=metrics_token,
            proxy=proxy,
        )
        if access.tls:
            access.tls.context()  # unfit files show before the model is looked for
        tokens.warn_of_readers()
    limits = ServiceLimits(idle_after=60 * idle_minutes, grace=grace_seconds if on_demand else None)

    def make_engine() -> Engine:
        if model == EMBEDDED:  # it takes its time, and so does importing torch
            from midfill.inference.models.embedded.reading_ahead import read_ahead

            read_ahead()
        from midfill.inference.engine import Engine

        own = 48 if access is None else 1024
        return Engine(
            model,
            device,
            context_bytes=int((context_mib or own) * 2**20),
            fills_at_once=fills_at_once,
        )

    if not on_demand:
        # Whoever waits at a terminal learns of a wrong call at once; nobody else waits for torch.
        engine = make_engine()
        serve_engine(lambda: engine, model, address, limits=limits, access=access)
    else:
        serve_engine(make_engine, model, address, limits=limits, access=access)


def _address(
    model: str, socket: Path | None, host: str | None, port: int | None, for_tcp: list[str]
) -> Address:
    """Where the options say to listen.

    Args:
        for_tcp: names of given options that mean something only there.

    Raises:
        UsageError: they contradict each other.
    """
    from midfill.inference.transport import TcpAddress, UnixAddress, engine_address

    if socket is not None and (host is not None or port is not None):
        raise UsageError("--socket and --host/--port exclude each other: choose one")
    if host is None and port is None:
        if for_tcp:
            raise UsageError(f"{for_tcp[0]} is for --host/--port: a socket is guarded by its mode")
        return UnixAddress(socket.absolute()) if socket is not None else engine_address(model)
    if port is None:
        raise UsageError("--host needs --port")
    return TcpAddress(host or "127.0.0.1", port)
