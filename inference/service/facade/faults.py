"""Refusals in the form that clients of OpenAI's interface read."""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING, Literal

from starlette.requests import ClientDisconnect
from starlette.responses import Response

from midfill.inference.errors import EngineBusy, MidfillError
from midfill.inference.failures import failure_of
from midfill.inference.service.accounts import note_refusal
from midfill.inference.service.facade.forms import Reply
from midfill.inference.service.replies import STATUS_OF_CODE

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request

    Handler = Callable[[Request], Awaitable[Response]]

RETRY_SECONDS = 1
"""After which a busy engine may have room again, where it does not say itself."""

STATUS = {
    **STATUS_OF_CODE,
    "invalid-request": 400,
    "invalid-text": 400,
}


FaultType = Literal[
    "invalid_request_error",
    "authentication_error",
    "permission_error",
    "rate_limit_error",
    "server_error",
]


class Fault(Reply):
    message: str
    type: FaultType
    code: str
    param: None = None


class FaultReply(Reply):
    error: Fault


def fault_reply(error: MidfillError) -> FaultReply:
    """What is told about an error."""
    failure = failure_of(error)
    return FaultReply(
        error=Fault(message=failure.message, type=_type(status_of(error)), code=failure.code)
    )


def status_of(error: MidfillError) -> int:
    return STATUS.get(error.code, 500)


def refused(error: MidfillError) -> Response:
    """An error in place of an answer; a busy engine says when to come again."""
    note_refusal(error.code)
    return Response(
        fault_reply(error).model_dump_json(),
        status_of(error),
        retry_headers(error),
        media_type="application/json",
    )


def retry_headers(error: MidfillError) -> dict[str, str]:
    """When it is worth while to ask again, if it is."""
    seconds = error.retry_after
    if seconds is None and isinstance(error, EngineBusy):
        seconds = RETRY_SECONDS
    return {} if seconds is None else {"Retry-After": str(max(1, ceil(seconds)))}


def with_faults(handler: Handler) -> Handler:
    """A handler whose refusals have this form."""

    async def handle(request: Request) -> Response:
        try:
            return await handler(request)
        except ClientDisconnect:
            return Response(status_code=499)
        except MidfillError as error:
            return refused(error)

    return handle


def _type(status: int) -> FaultType:
    match status:
        case 401:
            return "authentication_error"
        case 403:
            return "permission_error"
        case 429:
            return "rate_limit_error"
        case _:
            return "invalid_request_error" if status < 500 else "server_error"
