"""Starting the user's shared engine, which outlives whoever starts it."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import platformdirs

from midfill.inference.errors import EngineUnavailable
from midfill.inference.transport import slug
from midfill.lsp.engine_client import EngineClient

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from midfill.inference.transport import Address

TIME_LIMIT = 30.0
"""Seconds from the start of the process until it answers; a model is loaded only after that."""

POLL = 0.05
"""Seconds between two looks."""

if sys.platform == "win32":
    DETACHED = subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW
else:
    DETACHED = 0


def engine_command(model: str) -> list[str]:
    """The command line of an engine that ends by itself when nobody is left."""
    # -P: a file in the current folder must not pass for one of Python's own modules.
    return [sys.executable, "-P", "-m", "midfill.lsp", "serve", "--on-demand", "--model", model]


async def start_engine(
    model: str,
    address: Address,
    *,
    command: Callable[[str], Sequence[str]] = engine_command,
    time_limit: float = TIME_LIMIT,
) -> None:
    """Start an engine and wait until one answers at the address, ours or somebody else's.

    Of engines that are started at once all but one end quietly; theirs is as good as ours.

    Raises:
        EngineUnavailable: the process failed, or nothing answers in time.
    """
    give_up_at = time.monotonic() + time_limit
    last_words = _last_words_file(model)
    process = await asyncio.to_thread(_spawn, command(model), last_words)
    while not await _answers(address):
        status = process.poll()
        if status:
            raise EngineUnavailable(f"the engine did not start: {_last_words(last_words, status)}")
        if time.monotonic() > give_up_at:
            raise EngineUnavailable(f"the engine did not answer within {time_limit:.0f} s")
        if status == 0:
            # Another one holds the address, and may be about to leave it.
            await asyncio.sleep(4 * POLL)
            if not await _answers(address):
                process = await asyncio.to_thread(_spawn, command(model), last_words)
        await asyncio.sleep(POLL)


async def _answers(address: Address) -> bool:
    try:
        client = EngineClient(address)
    except EngineUnavailable:
        return False
    try:
        await client.health()
    except EngineUnavailable:
        return False
    finally:
        await client.aclose()
    return True


GIVE_MEMORY_BACK = {
    "MALLOC_ARENA_MAX": "2",
    "MALLOC_MMAP_THRESHOLD_": str(4 * 2**20),
    "MALLOC_TRIM_THRESHOLD_": str(16 * 2**20),
}
"""For glibc: large tensors go straight back to the system instead of growing the heap for good."""


def _spawn(command: Sequence[str], last_words: Path) -> subprocess.Popen[bytes]:
    errors = _open_private(last_words)
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=errors,
            close_fds=True,
            env={**GIVE_MEMORY_BACK, **os.environ},
            # Neither the end of this window's session nor a Ctrl-C in it reaches the engine.
            start_new_session=True,
            creationflags=DETACHED,
        )
    except OSError as error:
        raise EngineUnavailable(f"the engine did not start: {error.strerror or error}") from error
    finally:
        if errors != subprocess.DEVNULL:
            os.close(errors)
    # Somebody has to take note of its end, or it would stay behind as a zombie.
    threading.Thread(target=process.wait, name="engine-end", daemon=True).start()
    return process


def _last_words_file(model: str) -> Path:
    """What the process says before it has its log, or instead of it."""
    folder = Path(platformdirs.user_log_dir("midfill", appauthor=False))
    return folder / f"engine-{slug(model)}.stderr"


def _open_private(file: Path) -> int:
    """A handle of an emptied file of mode 0600; of nowhere, if it cannot be written."""
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        return os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o600)
    except OSError:
        return subprocess.DEVNULL


def _last_words(file: Path, status: int) -> str:
    with suppress(OSError):
        lines = file.read_text("utf-8", errors="replace").strip().splitlines()
        if lines:
            return lines[-1][:300]
    return f"it ended with status {status}"
