"""How an interface says that something went wrong: OpenAI's, llama.cpp's, Ollama's, or our own."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import ceil
from typing import TYPE_CHECKING

from midfill.inference.errors import EngineBusy, MidfillError
from midfill.inference.failures import failure_of
from midfill.inference.wire import Failure

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pydantic import BaseModel

STATUS_OF_CODE = {
    "invalid-request": 422,
    "invalid-text": 422,
    "too-large": 413,
    "busy": 503,
    "queue-full": 429,
    "unauthorized": 401,
    "forbidden": 403,
    "too-many-requests": 429,
    "too-slow": 408,
    "not-found": 404,
    "wrong-method": 405,
}


@dataclass(frozen=True, slots=True)
class ErrorForm:
    """What the clients of one interface read where they get no answer.

    Attributes:
        schema: of what they are told.
        write: makes it, from what went wrong and the HTTP status.
        statuses: by the code of an error, where they differ from `STATUS_OF_CODE`.
        busy_seconds: after which a busy engine may have room again, where it does not say itself;
            None where clients have a pause of their own.
    """

    schema: type[BaseModel]
    write: Callable[[Failure, int], BaseModel]
    statuses: Mapping[str, int] = field(default_factory=dict)
    busy_seconds: float | None = None

    def status(self, error: BaseException) -> int:
        code = failure_of(error).code
        return self.statuses.get(code) or STATUS_OF_CODE.get(code, 500)

    def json(self, error: BaseException, status: int | None = None) -> str:
        """What is told about an error.

        Args:
            status: instead of that which goes with the error.
        """
        return self.write(failure_of(error), status or self.status(error)).model_dump_json()

    def retry_headers(self, error: BaseException) -> dict[str, str]:
        """When it is worth while to ask again, if it is."""
        seconds = error.retry_after if isinstance(error, MidfillError) else None
        if seconds is None and isinstance(error, EngineBusy):
            seconds = self.busy_seconds
        return {} if seconds is None else {"Retry-After": str(max(1, ceil(seconds)))}


def _as_it_is(failure: Failure, status: int) -> Failure:
    return failure


OWN = ErrorForm(Failure, _as_it_is)
"""A `Failure`, for language servers and the command line."""
