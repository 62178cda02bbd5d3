"""The gate in front of an engine on TCP: whom it lets through, and to what.

A Unix socket needs none of this: the file system decides there.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from starlette.datastructures import Headers

from midfill.inference.errors import (
    Forbidden,
    MidfillError,
    TooManyRequests,
    Unauthorized,
)
from midfill.inference.server_sent_events import encode
from midfill.inference.service.accounts import note_refusal
from midfill.inference.service.callers import CALLER, Credential, whose
from midfill.inference.service.facade.operations import errors_at
from midfill.inference.service.refusing import refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Container, Sequence

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from midfill.inference.service.rates import CallerRates, Guesses

LOOPBACK_NAMES = frozenset({"127.0.0.1", "localhost", "[::1]"})

METRICS = "/metrics"
ALIVE = ("/health", "/health/deep")

REVOCATION_SECONDS = 1.0
"""A running request notices so soon that its token is not good any more."""


class Gate:
    """Lets through what shows a good token and was not sent by a web page.

    Args:
        app: what stands behind the gate; finds the caller's name in ``scope["midfill.caller"]``.
        credentials: asked at every request.
        hosts: names of this server, with or without port, that a request may use; None for any.
            Without names of its own a page could be made to point here (DNS rebinding); where every
            request shows a token that only a program has, any name will do.
        closed: paths that nobody may use here.
        rates: how often each caller may ask; None without limit.
        guesses: counts wrong tokens; None where nobody but this machine's users can guess, who
            could shut each other out.
        revocable: what runs ends when its token is not good any more.
        metrics_caller: if given, the one caller who may read ``/metrics``, and nothing else but
            whether the engine is well.
    """

    def __init__(
        self,
        app: ASGIApp,
        credentials: Callable[[], Sequence[Credential]],
        *,
        hosts: Collection[str] | None = LOOPBACK_NAMES,
        closed: Container[str] = (),
        rates: CallerRates | None = None,
        guesses: Guesses | None = None,
        revocable: bool = True,
        metrics_caller: str = "",
    ) -> None:
        self._app = app
        self._credentials = credentials
        self._hosts = hosts
        self._closed = closed
        self._rates = rates
        self._metrics_caller = metrics_caller
        self._guesses = guesses
        self._revocable = revocable

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        try:
            credential = self._let_through(scope)
        except MidfillError as error:
            return await refusal(scope["path"], error)(scope, receive, send)
        if not self._revocable:
            return await self._app(scope, receive, send)
        return await self._while_good(credential, scope, receive, send)

    def _let_through(self, scope: Scope) -> Credential:
        headers = Headers(scope=scope)
        host = headers.get("host", "").lower()
        if self._hosts is not None and not {host, host.rpartition(":")[0]} & {*self._hosts}:
            raise Forbidden("the request names another host than this server's")
        if "origin" in headers:
            raise Forbidden("the engine does not answer web pages")
        credential = self._identified(headers, str((scope.get("client") or ("",))[0]))
        scope[CALLER] = credential.name
        if scope["path"] in self._closed:
            raise Forbidden("that is for whoever runs this server")
        if self._metrics_caller and not _may(scope["path"], credential.name, self._metrics_caller):
            raise Forbidden(
                "this token is for something else: /metrics has one of its own, "
                "which is good for nothing else"
            )
        if self._rates and (wait := self._rates.take(credential.name)):
            raise _too_many("you ask more often than this server allows", wait)
        return credential

    def _identified(self, headers: Headers, address: str) -> Credential:
        if self._guesses and (wait := self._guesses.wait(address)):
            raise _too_many("too many wrong tokens came from your address", wait)
        scheme, _, shown = headers.get("authorization", "").partition(" ")
        credential = whose(shown.strip(), self._credentials())
        if scheme.lower() == "bearer" and credential:
            return credential
        if shown and self._guesses:
            self._guesses.wrong(address)
        raise Unauthorized("the token is missing or wrong: send Authorization: Bearer TOKEN")

    async def _while_good(
        self, credential: Credential, scope: Scope, receive: Receive, send: Send
    ) -> None:
        """Answer for as long as the token is good; a stream may last for days."""
        reply = _Reply(send)
        answering = asyncio.ensure_future(self._app(scope, receive, reply.send))
        try:
            while not answering.done():
                await asyncio.wait({answering}, timeout=REVOCATION_SECONDS)
                if not answering.done() and credential not in self._credentials():
                    answering.cancel()
                    await asyncio.wait({answering})
                    return await reply.break_off(scope, receive)
            return await answering
        finally:
            answering.cancel()


class _Reply:
    """What has been sent of a reply, so that it can be ended in good form."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._started: Message | None = None
        self._complete = False

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._started = message
        elif message["type"] == "http.response.body":
            self._complete = not message.get("more_body", False)
        await self._send(message)

    async def break_off(self, scope: Scope, receive: Receive) -> None:
        error = Unauthorized("the token has been revoked")
        if self._started is None:
            return await refusal(scope["path"], error)(scope, receive, self._send)
        note_refusal(error.code)
        if self._complete:
            return None
        kind = Headers(raw=self._started["headers"]).get("content-type", "")
        last = encode("error", errors_at(scope["path"]).json(error))
        body = last if kind.startswith("text/event-stream") else b""
        return await self._send({"type": "http.response.body", "body": body})


def _may(path: str, caller: str, metrics_caller: str) -> bool:
    if caller == metrics_caller:
        return path == METRICS or path in ALIVE
    return path != METRICS


def _too_many(what: str, wait: float) -> TooManyRequests:
    error = TooManyRequests(f"{what}: wait {max(1, round(wait))} s")
    error.retry_after = wait
    return error
