"""Errors in place of answers, each in the form of the interface that its path belongs to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from midfill.inference.errors import MidfillError
from midfill.inference.failures import failure_of
from midfill.inference.service.accounts import note_refusal
from midfill.inference.service.facade.operations import errors_at

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request

LEFT = 499
"""The status of a request whose client has left before there was one."""


class NoSuchPath(MidfillError):
    """Nothing is at an address."""

    code = "not-found"


class WrongMethod(MidfillError):
    """An address is asked in a way that it does not know."""

    code = "wrong-method"


def refusal(path: str, error: BaseException, status: int | None = None) -> Response:
    """An error instead of the work that was asked for, with ``Retry-After`` where known.

    Args:
        path: that was asked.
        error: what went wrong.
        status: instead of that which goes with the error.
    """
    form = errors_at(path)
    note_refusal(failure_of(error).code)
    return Response(
        form.json(error, status),
        status or form.status(error),
        form.retry_headers(error),
        media_type="application/json",
    )


async def _refuse(request: Request, error: Exception) -> Response:
    return refusal(request.scope["path"], error)


async def _refuse_route(request: Request, error: Exception) -> Response:
    """What the router itself says, with its headers, such as ``Allow``."""
    assert isinstance(error, HTTPException)
    found: MidfillError
    if error.status_code == 405:
        found = WrongMethod("this address takes other methods: its header Allow names them")
    else:
        found = NoSuchPath("there is nothing at this address: /openapi.json names what there is")
    reply = refusal(request.scope["path"], found, error.status_code)
    reply.headers.update(error.headers or {})
    return reply


async def _nobody_listens(request: Request, error: Exception) -> Response:
    return Response(status_code=LEFT)


HANDLERS: dict[type[Exception], Callable[[Request, Exception], Awaitable[Response]]] = {
    MidfillError: _refuse,
    HTTPException: _refuse_route,
    ClientDisconnect: _nobody_listens,
    Exception: _refuse,
}
"""For an app of Starlette's: every error of its routes."""
