"""Who may talk to an engine that listens on TCP.

A Unix socket needs none of this: the file system decides there.
"""

from __future__ import annotations

import hmac
import logging
from typing import TYPE_CHECKING

from starlette.datastructures import Headers

from midfill.inference.errors import MidfillError, UsageError
from midfill.inference.service.replies import refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from starlette.types import ASGIApp, Receive, Scope, Send

log = logging.getLogger(__name__)

LOOPBACK_NAMES = ("127.0.0.1", "localhost", "[::1]")


class Unauthorized(MidfillError):
    """The token is missing or wrong."""

    code = "unauthorized"


class Forbidden(MidfillError):
    """The request comes by way of a browser."""

    code = "forbidden"


class TokenFile:
    """Tokens in a file, one ``NAME TOKEN`` a line; read again whenever it changes.

    Blank lines and lines that begin with ``#`` are left out. When the file goes bad later, what
    it held before stays good, and the log says so.

    Raises:
        UsageError: it cannot be read, or a line has another form.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamp = self._present_stamp()
        self._tokens = self._read()

    def __call__(self) -> tuple[str, ...]:
        """The tokens that are good now."""
        try:
            stamp = self._present_stamp()
            if stamp != self._stamp:
                self._stamp = stamp
                self._tokens = self._read()
                log.info("%s changed: %d tokens", self._path, len(self._tokens))
        except UsageError as error:
            log.warning("%s; the tokens from before stay good", error)
        return self._tokens

    def _present_stamp(self) -> tuple[int, int, int]:
        try:
            found = self._path.stat()
        except OSError as error:
            raise UsageError(
                f"cannot read the token file {self._path}: {error.strerror}"
            ) from error
        return found.st_mtime_ns, found.st_size, found.st_ino

    def _read(self) -> tuple[str, ...]:
        try:
            lines = self._path.read_text("utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(
                f"cannot read the token file {self._path}: is it UTF-8 text, and yours to read?"
            ) from error
        tokens = []
        for number, line in enumerate(lines, start=1):
            words = line.split()
            if not words or words[0].startswith("#"):
                continue
            if len(words) != 2:
                raise UsageError(f"{self._path}, line {number}: write NAME TOKEN, two words")
            tokens.append(words[1])
        if not tokens:
            raise UsageError(f"{self._path} holds no token: write NAME TOKEN, one a line")
        return tuple(tokens)


class Gate:
    """Lets through what shows a good token and was not sent by a web page.

    Args:
        app: what stands behind the gate.
        tokens: asked at every request.
    """

    def __init__(self, app: ASGIApp, tokens: Callable[[], Iterable[str]]) -> None:
        self._app = app
        self._tokens = tokens

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and (fault := self._fault(Headers(scope=scope))):
            await refusal(fault)(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    def _fault(self, headers: Headers) -> MidfillError | None:
        host = headers.get("host", "")
        if host not in LOOPBACK_NAMES and host.rpartition(":")[0] not in LOOPBACK_NAMES:
            # A page whose own name was made to point at this machine (DNS rebinding).
            return Forbidden("the request names another host than this machine")
        if "origin" in headers:
            return Forbidden("the engine does not answer web pages")
        scheme, _, shown = headers.get("authorization", "").partition(" ")
        # All are compared, so that the time taken tells nothing.
        good = [hmac.compare_digest(shown.encode(), token.encode()) for token in self._tokens()]
        if scheme.lower() != "bearer" or not any(good):
            return Unauthorized("the token is missing or wrong: send Authorization: Bearer TOKEN")
        return None
