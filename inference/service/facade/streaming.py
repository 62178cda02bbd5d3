"""An answer in parts, whichever form they have."""

from __future__ import annotations

from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from midfill.inference.errors import MidfillError
from midfill.inference.service.accounts import note_refusal
from midfill.inference.service.facade.answering import pieces
from midfill.inference.service.facade.faults import OPENAI
from midfill.inference.service.replies import EventStream

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Sequence

    from starlette.responses import Response

    from midfill.inference.service.error_forms import ErrorForm
    from midfill.inference.service.facade.answering import Answer, Fill
    from midfill.inference.service.facade.hole_request import Wish

JSON_LINES = "application/x-ndjson"


def server_sent(json: str) -> bytes:
    return f"data: {json}\n\n".encode()


def json_line(json: str) -> bytes:
    return f"{json}\n".encode()


def _nothing(answer: Answer) -> tuple[str, ...]:
    return ()


@dataclass(frozen=True, slots=True)
class Style:
    """How a tool wants its parts. All texts but `last` are JSON.

    Attributes:
        texts: of the choices, the fill's first.
        piece: of a choice's text, by its number.
        end: of a choice, by its number.
        behind: what follows all choices.
        frame: makes bytes of a part.
        last: ends the stream.
        begin: text in front of every choice.
        errors: the form of one that ends the stream.
    """

    texts: Callable[[Answer], Sequence[str]]
    piece: Callable[[int, str], str]
    end: Callable[[Answer, int], str]
    behind: Callable[[Answer], tuple[str, ...]] = _nothing
    frame: Callable[[str], bytes] = server_sent
    last: bytes = b""
    begin: str = ""
    errors: ErrorForm = OPENAI


def streamed(fill: Fill, asked: Wish, model: str, style: Style) -> Response:
    """The response; however it ends, the engine stops before its next step."""
    return _response(pieces(fill, asked, model), style, fill.cancel)


def streamed_at_once(answer: Answer, style: Style) -> Response:
    """The response where the answer is known already."""
    return _response(_alone(answer), style, lambda: None)


def _response(
    told: AsyncGenerator[str | Answer], style: Style, on_close: Callable[[], None]
) -> Response:
    response = EventStream(_parts(told, style), on_close)
    if style.frame is json_line:
        response.headers["Content-Type"] = JSON_LINES
    return response


async def _alone(answer: Answer) -> AsyncGenerator[str | Answer]:
    yield answer


async def _parts(told: AsyncGenerator[str | Answer], style: Style) -> AsyncGenerator[bytes]:
    try:
        if style.begin:
            yield style.frame(style.piece(0, style.begin))
        async with aclosing(told):
            async for piece in told:
                if isinstance(piece, str):
                    yield style.frame(style.piece(0, piece))
                    continue
                for part in _rest(piece, style):
                    yield style.frame(part)
        yield style.last
    except MidfillError as error:
        note_refusal(error.code)
        yield style.frame(style.errors.json(error))


def _rest(answer: Answer, style: Style) -> list[str]:
    """What follows the first choice's text."""
    parts = [style.end(answer, 0)]
    for index, text in enumerate(style.texts(answer)):
        if index > 0:
            parts += [style.piece(index, style.begin + text), style.end(answer, index)]
    return [*parts, *style.behind(answer)]
