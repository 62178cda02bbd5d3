"""The real language server in front of an engine that answers at once."""

from __future__ import annotations

import asyncio
import json
import sys
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from midfill.inference.measuring.language_server.editor import Editor

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from pathlib import Path

ENGINE = (sys.executable, "-P", "-m", "midfill.inference.measuring.language_server.instant_engine")

SETTINGS = {"delay": 0}
"""The server is told not to wait for a pause."""


@dataclass(slots=True)
class Session:
    """
    Attributes:
        editor: a window with the server behind it.
        busy: from when to when the engine was at work, on the monotonic clock; all of it is known
            once the session has ended.
    """

    editor: Editor
    busy: list[tuple[float, float]] = field(default_factory=list)


@asynccontextmanager
async def instant_session(scratch: Path, environment: Mapping[str, str]) -> AsyncIterator[Session]:
    """Start both, and end them.

    Args:
        scratch: a folder for the server's own files.
        environment: of the server and of the engine.

    Raises:
        ServerGone: the server did not answer.
    """
    pipe = asyncio.subprocess.PIPE
    engine = await asyncio.create_subprocess_exec(
        *ENGINE,
        stdin=pipe,
        stdout=pipe,
        env=dict(environment),
        start_new_session=True,  # Ctrl-C is for us
    )
    assert engine.stdout is not None
    assert engine.stdin is not None
    try:
        await engine.stdout.readline()
        session = Session(await Editor.start(scratch, environment, SETTINGS))
        listening = asyncio.create_task(_listen(engine.stdout, session.busy))
        try:
            await session.editor.ready()
            yield session
        finally:
            try:
                await session.editor.leave()
            finally:
                engine.stdin.close()
                await engine.wait()
                await listening
    finally:
        if engine.returncode is None:
            engine.stdin.close()
            await engine.wait()


async def _listen(output: asyncio.StreamReader, busy: list[tuple[float, float]]) -> None:
    while line := await output.readline():
        began, ended = json.loads(line)
        busy.append((began, ended))
