"""Errors in the form of llama.cpp's server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from midfill.inference.service.error_forms import ErrorForm
from midfill.inference.service.facade.faults import BAD_REQUEST, RETRY_SECONDS
from midfill.inference.service.facade.forms import Reply

if TYPE_CHECKING:
    from midfill.inference.wire import Failure

FaultType = Literal[
    "invalid_request_error",
    "authentication_error",
    "permission_error",
    "not_found_error",
    "unavailable_error",
    "server_error",
]

TYPES: dict[int, FaultType] = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    429: "unavailable_error",
    503: "unavailable_error",
}


class LlamaFault(Reply):
    code: int
    """The HTTP status again."""
    message: str
    type: FaultType


class LlamaFaultReply(Reply):
    error: LlamaFault


def _written(failure: Failure, status: int) -> LlamaFaultReply:
    other: FaultType = "invalid_request_error" if status < 500 else "server_error"
    fault = LlamaFault(code=status, message=failure.message, type=TYPES.get(status, other))
    return LlamaFaultReply(error=fault)


LLAMA = ErrorForm(LlamaFaultReply, _written, BAD_REQUEST, RETRY_SECONDS)
