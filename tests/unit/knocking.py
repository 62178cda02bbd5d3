"""Knocking at a gate without a network: an app that tells who came, and requests to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
from starlette.responses import PlainTextResponse

from midfill.inference.service.callers import CALLER, Credential
from midfill.inference.service.gate import Gate
from midfill.inference.service.rates import Guesses

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

CREDENTIALS = (Credential.of("ann", "alpha"), Credential.of("bob", "beta"))


async def who_came(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers with the caller's name."""
    await PlainTextResponse(scope[CALLER])(scope, receive, send)


def gate(**options: object) -> Gate:
    """A gate in front of `who_came` that Ann and Bob may pass."""
    return Gate(who_came, lambda: CREDENTIALS, guesses=Guesses(), **options)  # type: ignore[arg-type]


async def knock(
    at: Gate,
    token: str = "alpha",
    path: str = "/health",
    address: str = "192.0.2.1",
    **headers: str,
) -> httpx.Response:
    """Ask for a path, from an address, with a token unless it is empty."""
    transport = httpx.ASGITransport(at, client=(address, 4000))
    shown = {"Authorization": f"Bearer {token}"} if token else {}
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as http:
        return await http.get(path, headers={**shown, **headers})
