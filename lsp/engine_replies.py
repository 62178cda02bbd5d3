"""What an engine's answers mean, whichever way they were read."""

from __future__ import annotations

import json
import ssl
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import httpx
from pydantic import ValidationError

from midfill.inference.errors import EngineUnavailable, MidfillError, RequestTooLarge
from midfill.inference.failures import error_of
from midfill.inference.wire import (
    MAX_BODY_BYTES,
    Draft,
    EngineState,
    Failure,
    Final,
    Health,
    InfillRequest,
)

if TYPE_CHECKING:
    from collections.abc import Generator

    from midfill.inference.server_sent_events import Event
    from midfill.inference.transport import Address

QUICK = httpx.Timeout(5.0)
"""For what the engine answers at once, whatever its model does."""

PATIENT = httpx.Timeout(5.0, read=None)
"""For streams: how long they stay silent is the engine's affair, and the caller's deadline."""

BROKEN_OFF = "the engine went away in the middle of an answer"


class UntrustedServer(EngineUnavailable):
    """What answers cannot prove to be the server that was asked."""

    code = "untrusted"


@contextmanager
def unavailable(address: Address) -> Generator[None]:
    """Turn everything that can go wrong with a connection into `EngineUnavailable`."""
    try:
        yield
    except httpx.TransportError as error:
        if fault := _tls_fault(error):
            raise UntrustedServer(f"{address}: {fault}") from error
        raise EngineUnavailable(
            f"no engine answers at {address}, or it went away meanwhile: try again"
        ) from error


UNFINISHED = (ssl.SSLWantReadError, ssl.SSLWantWriteError, ssl.SSLEOFError, ssl.SSLZeroReturnError)
"""What says nothing of the two sides but that there was no time, or that one has left."""


def _tls_fault(error: BaseException | None) -> str:
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return f"its certificate is not to be trusted ({error.verify_message})"
        if isinstance(error, ssl.SSLError) and not isinstance(error, UNFINISHED):
            return "what answers there speaks no TLS that fits"
        error = error.__cause__ or error.__context__
    return ""


def body_of(request: InfillRequest) -> bytes:
    """A request as it is sent.

    Raises:
        RequestTooLarge: no engine would take it.
    """
    body = request.model_dump_json(exclude_defaults=True).encode()
    if len(body) > MAX_BODY_BYTES:
        raise RequestTooLarge(
            f"the request is larger than {MAX_BODY_BYTES // 2**20} MiB: "
            "send less text around the hole"
        )
    return body


def read_result(event: Event) -> Draft | Final:
    """One event of an answer.

    Raises:
        MidfillError: it tells of an error, with that error's class; or it makes no sense.
    """
    try:
        match event.name:
            case "draft":
                return Draft.model_validate_json(event.data)
            case "final":
                return Final.model_validate_json(event.data)
            case "error":
                failure = Failure.model_validate_json(event.data)
            case _:
                raise MidfillError(_ANOTHER_LANGUAGE)
    except ValidationError as error:
        raise MidfillError(_ANOTHER_LANGUAGE) from error
    raise error_of(failure)


def read_refusal(status: int, body: bytes, headers: httpx.Headers | None = None) -> MidfillError:
    """The error that an HTTP status other than success stands for."""
    try:
        error = error_of(Failure.model_validate_json(body))
    except ValidationError:
        # Not from an engine, but from something in front of it, or from a server that is full.
        error = MidfillError(f"the engine answered with HTTP status {status}")
    with suppress(ValueError):
        error.retry_after = float(headers.get("retry-after", "")) if headers else None
    return error


def read_health(body: bytes) -> Health:
    """Who answers there. An engine of another version may tell more, or less, than ours does.

    Raises:
        EngineUnavailable: it is no engine of Midfill's.
    """
    try:
        told: dict[str, Any] = json.loads(body)
        known = {name: told[name] for name in Health.model_fields if name in told}
        if known.get("state") not in tuple(EngineState):
            known["state"] = EngineState.FAILED
        return Health.model_validate({"model": "", "pid": 0} | known)
    except (ValueError, TypeError) as error:
        raise EngineUnavailable("what answers at the engine's address is no engine") from error


_ANOTHER_LANGUAGE = "the engine speaks another version's language: stop it, and try again"
