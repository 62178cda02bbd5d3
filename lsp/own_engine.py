"""The user's own engine: found, or started; one of another version is replaced."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from midfill.inference.errors import EngineBusy, EngineUnavailable, MidfillError
from midfill.inference.transport import engine_address
from midfill.lsp.engine_client import EngineClient
from midfill.lsp.engine_process import start_engine

if TYPE_CHECKING:
    from collections.abc import Callable

    from midfill.inference.wire import Health
    from midfill.lsp.engine_link import StartEngine

TIME_TO_DRAIN = 45.0
"""Seconds an engine of another version has for the work it is at."""

POLL = 0.1
"""Seconds between two looks at whether it has gone."""


class UpdateNeedsRestart(MidfillError):
    """This process is older than what is installed, and so than any engine it could start."""

    code = "restart-needed"


async def reach_own_engine(
    model: str, tell: Callable[[str], None], start: StartEngine | None = None
) -> EngineClient:
    """A client of an engine that answers and is of our version.

    Args:
        model: the engine's model.
        tell: hears what it waits for.
        start: starts an engine and returns when one answers.

    Raises:
        MidfillError: there is none, and none could be started.
    """
    from midfill.inference.version import version

    address = await asyncio.to_thread(engine_address, model)
    with suppress(EngineUnavailable):
        client = EngineClient(address)
        met = await client.health()
        if met.version == version() and met.state != "draining":
            return client
        await _see_off(client, met, tell)
    tell("starting the engine")
    await (start or start_engine)(model, address)
    client = EngineClient(address)
    started = await client.health()
    if started.version != version():
        raise UpdateNeedsRestart(_outdated(started))
    return client


async def _see_off(client: EngineClient, met: Health, tell: Callable[[str], None]) -> None:
    """Ask an engine to make way, and watch it until it does not answer any more.

    Raises:
        EngineUnavailable: it has gone.
        UpdateNeedsRestart: it is the installed version; this process is the one left over.
        EngineBusy: it does not go.
    """
    from importlib.metadata import version as installed_version

    from midfill.inference.version import version

    if met.version not in (version(), await asyncio.to_thread(installed_version, "midfill")):
        tell(f"replacing the engine of version {met.version}")
        await client.drain()
    elif met.version != version():
        raise UpdateNeedsRestart(_outdated(met))
    give_up_at = time.monotonic() + TIME_TO_DRAIN
    while time.monotonic() < give_up_at:
        await client.health()
        await asyncio.sleep(POLL)
    raise EngineBusy(f"another engine does not make way: end process {met.pid}")


def _outdated(engine: Health) -> str:
    return f"Midfill was updated to {engine.version}: restart the language server"
