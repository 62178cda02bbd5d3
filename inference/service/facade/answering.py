"""From a fill under way to pieces of text and a finished answer."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from starlette.requests import ClientDisconnect

from midfill.inference.models.reference import EMBEDDED
from midfill.inference.service.facade.certain_text import CertainText
from midfill.inference.wire import Draft, Final, Stop

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from starlette.requests import Request

    from midfill.inference.service.facade.hole_request import Wish
    from midfill.inference.service.job import Result

CUT_SHORT = (Stop.TOKEN_LIMIT, Stop.DEADLINE)

BYTES_PER_TOKEN = 4
"""About; for counts of an answer that the engine did not finish."""


class Fill(Protocol):
    """A request on its way, as `Job`."""

    def results(self) -> AsyncGenerator[Result]: ...

    def cancel(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Answer:
    """What was filled in, cut where it has to end.

    Attributes:
        texts: the fill and its alternatives.
        limited: whether a limit on tokens or time cut the fill short.
        stop: the stop string that ended the fill, if one did.
        final: what the engine says; None where it was stopped once a stop string had come.
        prompt_tokens, tokens: read and written; estimated where there is no ``final``.
    """

    texts: tuple[str, ...]
    limited: bool
    stop: str
    final: Final | None
    prompt_tokens: int
    tokens: int

    @property
    def text(self) -> str:
        return self.texts[0]


async def pieces(fill: Fill, asked: Wish, model: str) -> AsyncGenerator[str | Answer]:
    """Text as it becomes certain, then the answer, whose text is all pieces together.

    Only the embedded model's drafts are certain in part; what others write comes at the end. Once
    a stop string is certain, the engine stops.

    Raises:
        MidfillError: the engine failed.
    """
    certain, cuts = CertainText(asked.request), asked.cuts
    told = ""
    try:
        async with aclosing(fill.results()) as results:
            async for result in results:
                if isinstance(result, Draft) and model == EMBEDDED:
                    known = cuts.apply(certain.of(result.text))
                    text = known.text if known.ended else cuts.settled(known.text)
                    if len(text) > len(told) and text.startswith(told):
                        yield text[len(told) :]
                        told = text
                    if known.ended and asked.request.n == 1 and not asked.shared:
                        yield _stopped(asked, text, known.stop)
                        return
                elif isinstance(result, Final):
                    answer = _finished(asked, result)
                    if len(answer.text) > len(told):
                        yield answer.text[len(told) :]
                    yield answer
    finally:
        fill.cancel()


async def answer(fill: Fill, asked: Wish, model: str, request: Request) -> Answer:
    """The whole answer at once.

    Raises:
        ClientDisconnect: nobody waits for it any more; the engine stops before its next step.
        MidfillError: the engine failed.
    """
    filling = asyncio.ensure_future(_last(fill, asked, model))
    gone = asyncio.ensure_future(_disconnected(request))
    try:
        await asyncio.wait((filling, gone), return_when=asyncio.FIRST_COMPLETED)
        if filling.done():
            return filling.result()
        raise ClientDisconnect
    finally:
        fill.cancel()
        filling.cancel()
        gone.cancel()


def nothing(asked: Wish) -> Answer:
    """The answer to a request for no tokens at all."""
    return Answer(("",), limited=True, stop="", final=None, prompt_tokens=_read(asked), tokens=0)


async def _last(fill: Fill, asked: Wish, model: str) -> Answer:
    async with aclosing(pieces(fill, asked, model)) as told:
        async for piece in told:
            if isinstance(piece, Answer):
                return piece
    raise AssertionError("a fill ends with its answer or an error")


async def _disconnected(request: Request) -> None:
    """Returns when the client has gone; its request is read already."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _finished(asked: Wish, final: Final) -> Answer:
    first, *others = (asked.cuts.apply(text) for text in (final.text, *final.alternatives))
    return Answer(
        texts=(first.text, *(cut.text for cut in others)),
        limited=final.stop in CUT_SHORT and not first.ended,
        stop=first.stop,
        final=final,
        prompt_tokens=final.cache.hit_tokens + final.cache.new_tokens,
        tokens=final.tokens,
    )


def _stopped(asked: Wish, text: str, stop: str) -> Answer:
    return Answer(
        texts=(text,),
        limited=False,
        stop=stop,
        final=None,
        prompt_tokens=_read(asked),
        tokens=estimated_tokens(text),
    )


def _read(asked: Wish) -> int:
    request = asked.request
    return sum(
        map(estimated_tokens, (request.prefix, request.suffix, *(f.text for f in request.context)))
    )


def estimated_tokens(text: str) -> int:
    """How many a text has, about."""
    return -(-len(text.encode()) // BYTES_PER_TOKEN)
