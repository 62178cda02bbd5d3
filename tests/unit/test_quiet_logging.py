"""No log line holds source text."""

from __future__ import annotations

import asyncio
import logging
import sys
from io import StringIO

import pytest

from midfill.inference.errors import EngineUnavailable
from midfill.lsp import quiet_logging

CANARY = "canary_in_the_source"


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> StringIO:
    """What the process logs when it is set up as the server's is."""
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    monkeypatch.setattr(logging.getLogger(), "level", logging.WARNING)
    monkeypatch.setattr(logging.getLogger("midfill"), "level", logging.NOTSET)
    monkeypatch.setattr(logging.getLogger("pygls"), "level", logging.NOTSET)
    monkeypatch.setattr(logging, "raiseExceptions", True)
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    stream = StringIO()
    quiet_logging.set_up(stream)
    return stream


def fail(text: str) -> None:
    raise ValueError(text)


def test_our_own_messages_are_kept(log: StringIO) -> None:
    logging.getLogger("midfill.lsp.anything").info("the engine is at %s", "a socket")
    assert "INFO midfill.lsp.anything the engine is at a socket" in log.getvalue()


def test_of_others_messages_only_the_place_is_kept(log: StringIO) -> None:
    logging.getLogger("pygls.protocol.json_rpc").error("Failed to handle %s", CANARY)
    logging.getLogger("some.library").warning(f"lost: {CANARY}")
    told = log.getvalue()
    assert CANARY not in told
    assert "ERROR pygls.protocol.json_rpc in test_of_others" in told
    assert "WARNING some.library in test_of_others" in told


def test_messages_that_pygls_sends_are_not_logged(log: StringIO) -> None:
    logging.getLogger("pygls.protocol.json_rpc").info("Sending data: %s", CANARY)
    assert log.getvalue() == ""


@pytest.mark.parametrize("name", ["midfill.lsp.anything", "pygls.feature_manager"])
def test_an_exception_is_told_by_type_and_place(log: StringIO, name: str) -> None:
    try:
        fail(CANARY)
    except ValueError:
        logging.getLogger(name).exception("something failed")
    told = log.getvalue()
    assert CANARY not in told
    assert "[ValueError < test_quiet_logging.py:" in told
    assert len(told.splitlines()) == 1


def test_a_chained_exception_tells_nothing_more(log: StringIO) -> None:
    try:
        try:
            fail(CANARY)
        except ValueError as error:
            raise LookupError(CANARY) from error
    except LookupError:
        logging.getLogger("midfill").exception("something failed")
    assert CANARY not in log.getvalue()


def test_our_own_errors_are_told_with_their_message(log: StringIO) -> None:
    try:
        raise EngineUnavailable("no engine answers")
    except EngineUnavailable:
        logging.getLogger("midfill").exception("no suggestion")
    assert "[EngineUnavailable: no engine answers]" in log.getvalue()


async def test_what_asyncio_says_about_lost_tasks_is_not_repeated(
    log: StringIO,
) -> None:
    async def fail_soon() -> None:
        fail(CANARY)

    task = asyncio.create_task(fail_soon())
    await asyncio.wait([task])
    del task
    told = log.getvalue()
    assert CANARY not in told
    assert "ERROR asyncio" in told


def test_a_cancellation_that_comes_too_late_is_not_worth_a_line(
    log: StringIO,
) -> None:
    logging.getLogger("pygls.protocol.json_rpc").warning(
        'Cancel notification for unknown message id "%s"', 3
    )
    assert log.getvalue() == ""


def test_a_record_that_cannot_be_formatted_is_dropped(
    log: StringIO, capsys: pytest.CaptureFixture[str]
) -> None:
    logging.getLogger("midfill").info("%d things", CANARY)
    assert CANARY not in capsys.readouterr().err + log.getvalue()


def test_what_nobody_catches_is_told_without_its_message(log: StringIO) -> None:
    error = ValueError(CANARY)
    sys.excepthook(ValueError, error, None)
    assert "CRITICAL midfill stopped by ValueError" in log.getvalue()
    assert CANARY not in log.getvalue()
