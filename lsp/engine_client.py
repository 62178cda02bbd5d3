"""An engine, as seen from the event loop of a language server."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from pydantic import ValidationError

from midfill.inference.errors import EngineUnavailable, MidfillError
from midfill.inference.server_sent_events import EventReader
from midfill.inference.transport import TlsAddress, async_client
from midfill.inference.wire import Final
from midfill.inference.wire_prompt import ShownPrompt
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
    from collections.abc import AsyncGenerator

    import httpx

    from midfill.inference.server_sent_events import Event
    from midfill.inference.transport import Address
    from midfill.inference.wire import Draft, Health, InfillRequest


class EngineClient:
    """Talks to the engine at one address.

    Every method raises `EngineUnavailable` when the engine cannot be reached or goes away, and
    otherwise the error of whatever the engine refuses.

    Raises:
        EngineUnavailable: no engine listens at a loopback address.
    """

    def __init__(self, address: Address) -> None:
        self._address = address
        self._http = async_client(address, QUICK)

    async def health(self) -> Health:
        with unavailable(self._address):
            response = await self._http.get("/health")
        if response.is_error:
            raise read_refusal(response.status_code, response.content, response.headers)
        return read_health(response.content)

    async def infill(self, request: InfillRequest) -> AsyncGenerator[Draft | Final]:
        """Drafts, then the finished fill. Close it to have the engine stop before its next step."""
        async with self._stream("POST", "/v1/infill", body_of(request)) as events:
            async for event in events:
                result = read_result(event)
                if isinstance(result, Final) and isinstance(self._address, TlsAddress):
                    async for _ in events:  # only what was read to its end can be used again
                        pass
                yield result
                if isinstance(result, Final):
                    return
        raise EngineUnavailable(BROKEN_OFF)

    async def prompt(self, request: InfillRequest) -> ShownPrompt:
        """What the model would be given for a request; waits its turn behind other requests."""
        with unavailable(self._address):
            response = await self._http.post(
                "/v1/prompt", content=body_of(request), timeout=PATIENT
            )
        if response.is_error:
            raise read_refusal(response.status_code, response.content, response.headers)
        try:
            return ShownPrompt.model_validate_json(response.content)
        except ValidationError as error:
            raise MidfillError(
                "the engine speaks another version's language: stop it, and try again"
            ) from error

    async def events(self) -> AsyncGenerator[Health]:
        """The engine's state, now and whenever it changes, until the engine goes.

        While this is open the engine knows that somebody is there.
        """
        async with self._stream("GET", "/v1/events") as events:
            async for event in events:
                if event.name == "error":
                    read_result(event)  # raises it
                yield read_health(event.data)

    async def load(self) -> None:
        """Have the engine load its model; returns before that is done."""
        await self._post("/v1/load")

    async def forget(self) -> None:
        """Have the engine let go of all text that it has read; returns before that is done."""
        await self._post("/v1/forget")

    async def drain(self) -> None:
        """Have the engine answer what is running and exit; returns before that is done."""
        await self._post("/v1/drain")

    async def aclose(self) -> None:
        await self._http.aclose()

    async def _post(self, path: str) -> None:
        with unavailable(self._address):
            response = await self._http.post(path)
        if response.is_error:
            raise read_refusal(response.status_code, response.content, response.headers)

    @asynccontextmanager
    async def _stream(
        self, method: str, path: str, body: bytes | None = None
    ) -> AsyncGenerator[AsyncGenerator[Event]]:
        """Open a stream of events; leaving the block closes the connection."""
        with unavailable(self._address):
            async with self._http.stream(method, path, content=body, timeout=PATIENT) as response:
                if response.is_error:
                    raise read_refusal(
                        response.status_code, await response.aread(), response.headers
                    )
                yield _events(response)


async def _events(response: httpx.Response) -> AsyncGenerator[Event]:
    reader = EventReader()
    async for piece in response.aiter_raw():
        for event in reader.feed(piece):
            yield event
