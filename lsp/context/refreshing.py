"""Looking up in the background what stands in other files, for one document at a time."""

from __future__ import annotations

import asyncio
import logging
import re
from typing import TYPE_CHECKING

from midfill.lsp.context.view import LONGEST_LINE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from midfill.lsp.context.errands import ErrandRunner
    from midfill.lsp.context.recent_edits import LineChange
    from midfill.lsp.context.sources import Sources

log = logging.getLogger(__name__)

SETTLED = 0.5
"""Seconds between a change and the look-up: whoever types an import types on."""

_IMPORT = re.compile(r"\b(?:import|from|require|include|use|mod)\b")


class Refreshing:
    """Runs the errands of some sources. Belongs to one event loop.

    Args:
        sources: whose errands.
        runner: who does them, in a thread.
        settled: seconds to wait for more changes.
    """

    def __init__(self, sources: Sources, runner: ErrandRunner, settled: float = SETTLED) -> None:
        self._sources = sources
        self._runner = runner
        self._settled = settled
        self._wanted: dict[str, None] = {}
        self._task: asyncio.Task[None] | None = None

    def ask(self, uri: str) -> None:
        """Have a document's imports looked up soon; to be called on the event loop."""
        if not self._sources.wanted:
            return
        self._wanted[uri] = None
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._run())

    def changed(self, uri: str, changes: Sequence[LineChange] | None) -> None:
        """The same, if changes look as if they imported something; None: all of it changed."""
        lines = None if changes is None else self._sources.touched(uri, changes)
        if lines is None or any(_IMPORT.search(line[:LONGEST_LINE]) for line in lines):
            self.ask(uri)

    async def close(self) -> None:
        """Stop; an errand that is being run is left to its end, and nobody hears of it."""
        self._wanted.clear()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        while self._wanted:
            await asyncio.sleep(self._settled)
            uri = next(iter(self._wanted), None)
            if uri is None:
                return
            del self._wanted[uri]
            try:
                errand = self._sources.errand(uri)
                findings = await asyncio.to_thread(self._runner.run, errand)
            except Exception as error:
                # A file in which something trips must not end the look-ups of all others.
                log.warning("could not look up imports (%s)", type(error).__name__)
            else:
                self._sources.take(findings)
