"""The editor is told how the engine is, and bothered no more than it wants."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest
from lsprotocol import types

from midfill.inference.wire import EngineState, Health
from midfill.lsp import status
from midfill.lsp.status import StatusReporter, status_params


class RecordingServer:
    """A server whose client takes, refuses or ignores progress bars, as a test wants it."""

    def __init__(self, *, shows_progress: bool = True) -> None:
        self.notified: list[dict[str, Any]] = []
        self.shown: list[str] = []
        self.refusal: Exception | None = None
        self.answers = True
        window = types.WindowClientCapabilities(work_done_progress=shows_progress)
        self.client_capabilities = types.ClientCapabilities(window=window)
        self.protocol = SimpleNamespace(notify=lambda method, params: self.notified.append(params))
        self.work_done_progress = SimpleNamespace(
            tokens={},
            create_async=self._create,
            begin=lambda token, value: self.shown.append("begin"),
            report=lambda token, value: self.shown.append(f"{value.message} {value.percentage}"),
            end=lambda token, value: self.shown.append("end"),
        )

    async def _create(self, token: str) -> None:
        if self.refusal:
            raise self.refusal
        if not self.answers:
            await asyncio.Event().wait()


def reporter_for(server: RecordingServer) -> StatusReporter:
    return StatusReporter(cast("Any", server))


def health(state: EngineState, detail: str = "", fraction: float | None = None) -> Health:
    return Health(
        version="1", model="embedded", state=state, detail=detail, fraction=fraction, pid=1
    )


LOADING = health(EngineState.LOADING, "loading")
READY = health(EngineState.READY)


@pytest.fixture(autouse=True)
def _hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(status, "REPORT_SECONDS", 0)


async def a_moment() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_every_change_is_told_once() -> None:
    server = RecordingServer()
    reporter = reporter_for(server)
    for state in (LOADING, LOADING, READY, READY):
        reporter.update(state)
    assert server.notified == [status_params(LOADING), status_params(READY)]
    reporter.close()


async def test_steps_too_small_to_see_are_not_told() -> None:
    server = RecordingServer()
    reporter = reporter_for(server)
    for thousandth in range(1001):
        reporter.update(health(EngineState.LOADING, "pulling", thousandth / 1000))
    assert len(server.notified) <= 101
    reporter.close()


async def test_a_progress_bar_is_shown_while_the_model_loads() -> None:
    server = RecordingServer()
    reporter = reporter_for(server)
    for now in (health(EngineState.LOADING, "pulling", 0.25), LOADING, READY):
        reporter.update(now)
        await a_moment()
    assert server.shown == ["begin", "pulling 25", "loading None", "end"]
    assert server.work_done_progress.tokens == {}


async def test_a_model_that_loads_again_gets_another_progress_bar() -> None:
    server = RecordingServer()
    reporter = reporter_for(server)
    for now in (LOADING, READY, LOADING, health(EngineState.FAILED, "no memory")):
        reporter.update(now)
        await a_moment()
    assert server.shown == ["begin", "loading None", "end"] * 2


async def test_a_client_that_shows_no_progress_is_not_asked_to() -> None:
    server = RecordingServer(shows_progress=False)
    reporter = reporter_for(server)
    reporter.update(LOADING)
    await a_moment()
    assert server.shown == []
    assert len(server.notified) == 1


async def test_a_client_that_refuses_a_progress_bar_is_still_told_the_status() -> None:
    server = RecordingServer()
    server.refusal = RuntimeError("refused")
    reporter = reporter_for(server)
    for now in (LOADING, READY):
        reporter.update(now)
        await a_moment()
    assert server.shown == []
    assert len(server.notified) == 2


async def test_a_client_that_never_answers_holds_nothing_up() -> None:
    server = RecordingServer()
    server.answers = False
    reporter = reporter_for(server)
    for now in (LOADING, READY):
        reporter.update(now)
        await a_moment()
    assert server.shown == []
    assert len(server.notified) == 2
    reporter.close()
