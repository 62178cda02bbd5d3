"""Sits between language servers and an engine, and keeps every byte that either says."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


@asynccontextmanager
async def wiretap(here: Path, engine: Path) -> AsyncIterator[bytearray]:
    """Listen at one Unix socket and pass everything on to another and back."""
    heard = bytearray()

    async def connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        engine_reader, engine_writer = await asyncio.open_unix_connection(engine)
        await asyncio.gather(pass_on(reader, engine_writer), pass_on(engine_reader, writer))

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while piece := await reader.read(65536):
                heard.extend(piece)
                writer.write(piece)
                await writer.drain()
        except ConnectionError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_unix_server(connect, here)
    here.chmod(0o600)
    try:
        yield heard
    finally:
        server.close()
