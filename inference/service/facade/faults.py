"""Errors in the form that clients of OpenAI's interface read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from midfill.inference.service.error_forms import ErrorForm
from midfill.inference.service.facade.forms import Reply

if TYPE_CHECKING:
    from midfill.inference.wire import Failure

RETRY_SECONDS = 1.0

BAD_REQUEST = {"invalid-request": 400, "invalid-text": 400}
"""What other tools call by another status than we do."""

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


def _written(failure: Failure, status: int) -> FaultReply:
    return FaultReply(error=Fault(message=failure.message, type=_type(status), code=failure.code))


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


OPENAI = ErrorForm(FaultReply, _written, BAD_REQUEST, RETRY_SECONDS)
"""Mistral's, too."""
