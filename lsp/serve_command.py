"""``midfill serve``: the engine over HTTP."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 (typer reads the annotations)
from typing import TYPE_CHECKING, Annotated

import typer

from midfill.inference.errors import UsageError

if TYPE_CHECKING:
    from midfill.inference.service.backend import Engine
    from midfill.inference.transport import Address

LOOPBACK = ("127.0.0.1", "localhost", "::1")


def serve(
    socket: Annotated[
        Path | None, typer.Option(help="Listen at this Unix socket, readable by you alone.")
    ] = None,
    host: Annotated[
        str | None, typer.Option(help="Listen on TCP; so far only on this machine itself.")
    ] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="The TCP port.")] = None,
    token_file: Annotated[
        Path | None,
        typer.Option(help="Who may ask over TCP: one NAME TOKEN a line, read again on change."),
    ] = None,
    model: Annotated[str, typer.Option(help="Which model; see `midfill model list`.")] = "embedded",
    device: Annotated[
        str | None, typer.Option(help="A torch device; by default a big model's is a GPU, if any.")
    ] = None,
    idle_minutes: Annotated[
        float, typer.Option(min=0.01, help="Unload the model after so long without a request.")
    ] = 10.0,
    on_demand: Annotated[
        bool, typer.Option("--on-demand", hidden=True, help="Stop when nobody is connected.")
    ] = False,
    grace_seconds: Annotated[
        float, typer.Option(hidden=True, min=0.1, help="How long --on-demand waits for somebody.")
    ] = 60.0,
) -> None:
    """Serve the engine over HTTP, by default where your editors look for it."""
    from midfill.inference.models.reference import EMBEDDED
    from midfill.inference.service.access import TokenFile
    from midfill.inference.service.server import ServiceLimits
    from midfill.inference.service.server import serve as serve_engine
    from midfill.lsp.engine_log import log_file, log_to_file, log_to_stderr

    address = _address(model, socket, host, port, token_file)
    if on_demand:
        log_to_file(log_file(model))
    else:
        log_to_stderr()
    limits = ServiceLimits(idle_after=60 * idle_minutes, grace=grace_seconds if on_demand else None)
    tokens = TokenFile(token_file) if token_file is not None else None

    def make_engine() -> Engine:
        if model == EMBEDDED:  # it takes its time, and so does importing torch
            from midfill.inference.models.embedded.reading_ahead import read_ahead

            read_ahead()
        from midfill.inference.engine import Engine

        return Engine(model, device)

    if not on_demand:
        # Whoever waits at a terminal learns of a wrong call at once; nobody else waits for torch.
        engine = make_engine()
        serve_engine(lambda: engine, model, address, limits=limits, tokens=tokens)
    else:
        serve_engine(make_engine, model, address, limits=limits, tokens=tokens)


def _address(
    model: str, socket: Path | None, host: str | None, port: int | None, token_file: Path | None
) -> Address:
    """Where the options say to listen.

    Raises:
        UsageError: they contradict each other, or would let in just anybody.
    """
    from midfill.inference.transport import TcpAddress, UnixAddress, engine_address

    if socket is not None and (host is not None or port is not None):
        raise UsageError("--socket and --host/--port exclude each other: choose one")
    if host is None and port is None:
        if token_file is not None:
            raise UsageError("--token-file is for --host/--port: a socket is guarded by its mode")
        return UnixAddress(socket.absolute()) if socket is not None else engine_address(model)
    host = host or LOOPBACK[0]
    if host not in LOOPBACK:
        raise UsageError(
            f"--host {host}: the engine listens on this machine alone so far "
            f"({', '.join(LOOPBACK)}); reach it from elsewhere through ssh -L"
        )
    if port is None:
        raise UsageError("--host needs --port")
    if token_file is None:
        raise UsageError("--host/--port need --token-file, so that not everybody may ask")
    return TcpAddress(host, port)
