"""Telling the editor how the engine is: a status, and a progress bar while a model loads."""

from __future__ import annotations

import asyncio
from itertools import count
from typing import TYPE_CHECKING

from lsprotocol import types

from midfill.inference.wire import EngineState, Health
from midfill.lsp.activity import Activity

if TYPE_CHECKING:
    from pygls.lsp.server import LanguageServer

STATUS = "midfill/status"
"""Our own notification, server to client; its parameters are those of `status_params`."""

REPORT_SECONDS = 0.1
"""No progress bar is redrawn more often."""


DOCTOR = {"title": "Look for the cause", "command": "midfill doctor"}
"""What to do about a failure: a command for a terminal."""


def status_params(health: Health, activity: Activity = Activity.IDLE) -> dict[str, object]:
    """What a status line shows.

    Returns:
        ``state`` of the engine, its ``model``, a ``detail`` for people, in hundredths the
        ``fraction`` of loading, the server's ``activity``, and after a failure an ``action``.
    """
    return {
        "state": health.state.value,
        "model": health.model,
        "detail": health.detail,
        "fraction": None if health.fraction is None else round(health.fraction, 2),
        "activity": activity.value,
        "action": DOCTOR if health.state is EngineState.FAILED else None,
    }


class StatusReporter:
    """Passes the engine's health on to the editor. Belongs to the event loop."""

    def __init__(self, server: LanguageServer) -> None:
        self._server = server
        self._health: Health | None = None
        self._activity = Activity.IDLE
        self._changed = asyncio.Event()
        self._showing: asyncio.Task[None] | None = None
        self._numbers = count(1)

    def update(self, health: Health) -> None:
        """The engine's health has changed."""
        before = None if self._health is None else status_params(self._health)
        self._health = health
        if status_params(health) == before:
            return
        self._changed.set()
        self._notify()
        if self._loading() and self._showing is None and self._client_shows_progress():
            self._showing = asyncio.create_task(self._show_progress())
            self._showing.add_done_callback(self._stop_showing)

    def active(self, activity: Activity) -> None:
        """The server does something else than before."""
        if activity is not self._activity:
            self._activity = activity
            self._notify()

    def close(self) -> None:
        if self._showing:
            self._showing.cancel()

    def _notify(self) -> None:
        if self._health is not None:
            self._server.protocol.notify(STATUS, status_params(self._health, self._activity))

    async def _show_progress(self) -> None:
        """Show a progress bar until the model is there, or will not be."""
        token = f"midfill-load-{next(self._numbers)}"
        progress = self._server.work_done_progress
        await progress.create_async(token)
        try:
            begin = types.WorkDoneProgressBegin("Midfill", cancellable=False, percentage=0)
            progress.begin(token, begin)
            while health := self._loading():
                progress.report(token, _report(health))
                self._changed.clear()
                await asyncio.sleep(REPORT_SECONDS)
                await self._changed.wait()
        finally:
            message = self._health.detail if self._health else None
            progress.end(token, types.WorkDoneProgressEnd(message=message))
            progress.tokens.pop(token, None)

    def _loading(self) -> Health | None:
        health = self._health
        return health if health and health.state is EngineState.LOADING else None

    def _client_shows_progress(self) -> bool:
        window = self._server.client_capabilities.window
        return bool(window and window.work_done_progress)

    def _stop_showing(self, task: asyncio.Task[None]) -> None:
        self._showing = None
        if not task.cancelled():
            task.exception()  # a client that refuses a progress bar just gets none


def _report(health: Health) -> types.WorkDoneProgressReport:
    percentage = None if health.fraction is None else round(100 * health.fraction)
    return types.WorkDoneProgressReport(message=health.detail, percentage=percentage)
