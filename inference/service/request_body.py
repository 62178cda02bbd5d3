"""From the bytes of a request to its form, or one line that says what is wrong with them.

No message repeats what was sent: it is somebody's source text.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from pydantic import BaseModel, ValidationError

from midfill.inference.errors import InvalidText, MidfillError, RequestTooLarge
from midfill.inference.wire import MAX_BODY_BYTES, InfillRequest

if TYPE_CHECKING:
    from collections.abc import AsyncIterable

    from pydantic_core import ErrorDetails

Form = TypeVar("Form", bound=BaseModel)

SURROGATE_MARKS = ("surrogate", "hex escape", "unicode code point")
"""What the JSON parser's messages about text without a UTF-8 form have in common."""


class InvalidRequest(MidfillError):
    """A request that is no JSON, or not the JSON of its form."""

    code = "invalid-request"


async def read_body(pieces: AsyncIterable[bytes], limit: int = MAX_BODY_BYTES) -> bytes:
    """Put the body together, keeping at most ``limit`` bytes.

    A longer one is read to its end all the same, up to four times the limit: a client that is still
    sending when the connection closes may never see the answer.

    Raises:
        RequestTooLarge: it is longer.
    """
    body = bytearray()
    size = 0
    async for piece in pieces:
        size += len(piece)
        if size <= limit:
            body += piece
        elif size <= 4 * limit:
            body.clear()
        else:
            break
    if size > limit:
        raise RequestTooLarge(
            f"the request is larger than {limit // 2**20} MiB: send less text around the hole"
        )
    return bytes(body)


def parse_request(body: bytes) -> InfillRequest:
    """Read the body of a request to fill a hole; raises as `parse_body` does."""
    return parse_body(body, InfillRequest)


def parse_body(body: bytes, form: type[Form]) -> Form:
    """Read a request's body; ``false`` is no number in it, and ``"1"`` neither.

    Raises:
        InvalidText: a text in it has no UTF-8 form.
        InvalidRequest: it is something else, or a field has a value it may not have.
    """
    try:
        return form.model_validate_json(body, strict=True)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False, include_context=False)[0]
    if first["type"] == "json_invalid" and any(mark in first["msg"] for mark in SURROGATE_MARKS):
        raise InvalidText(
            "the request holds text without a UTF-8 form, such as a lone surrogate: "
            "repair or leave out that text"
        )
    raise InvalidRequest(_in_words(first))


def _in_words(error: ErrorDetails) -> str:
    if error["type"] == "json_invalid":
        return f"the request is not JSON: {error['msg'].removeprefix('Invalid JSON: ')}"
    field = ".".join(map(str, error["loc"]))
    if error["type"] == "extra_forbidden":
        # An unknown name comes from the sender and may be anything.
        known = field if field.replace(".", "").isidentifier() and len(field) <= 40 else "(another)"
        return f"the request has an unknown field: {known}"
    message = error["msg"].removeprefix("Value error, ").removeprefix("Input ")
    return f"the request's {field} {message}" if field else f"the request: {message}"
