"""The engine that is running anyway, for a command that wants one answer and starts nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from midfill.inference.errors import EngineUnavailable, MidfillError
from midfill.inference.server_sent_events import EventReader
from midfill.inference.transport import client, engine_address
from midfill.inference.version import version
from midfill.inference.wire import EngineState, Final
from midfill.lsp.engine_replies import (
    BROKEN_OFF,
    PATIENT,
    QUICK,
    body_of,
    read_health,
    read_refusal,
    read_result,
    unavailable,
)

if TYPE_CHECKING:
    from collections.abc import Generator

    from midfill.inference.transport import Address
    from midfill.inference.wire import Draft, Health, InfillRequest


def running_engine(model: str) -> Health | None:
    """The user's shared engine of this model, if one of our version answers and can be asked."""
    try:
        health = health_at(engine_address(model))
    except MidfillError:
        return None
    usable = health.state not in (EngineState.FAILED, EngineState.DRAINING)
    return health if usable and health.version == version() else None


def health_at(address: Address) -> Health:
    """Who answers there.

    Raises:
        EngineUnavailable: nobody does, or no engine.
        MidfillError: whatever it refuses.
    """
    with unavailable(address), client(address, QUICK) as http:
        response = http.get("/health")
    if response.is_error:
        raise read_refusal(response.status_code, response.content, response.headers)
    return read_health(response.content)


def infill_sync(address: Address, request: InfillRequest) -> Generator[Draft | Final]:
    """Drafts, then the finished fill; closing it has the engine stop before its next step.

    Raises:
        EngineUnavailable: the engine cannot be reached, or goes away.
        MidfillError: whatever the engine refuses, with that error's class.
    """
    body = body_of(request)
    with (
        unavailable(address),
        client(address, PATIENT) as http,
        http.stream("POST", "/v1/infill", content=body) as response,
    ):
        if response.is_error:
            raise read_refusal(response.status_code, response.read(), response.headers)
        reader = EventReader()
        for piece in response.iter_raw():
            for event in reader.feed(piece):
                result = read_result(event)
                yield result
                if isinstance(result, Final):
                    return
    raise EngineUnavailable(BROKEN_OFF)
