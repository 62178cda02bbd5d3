"""llama.cpp's ``/infill``, ``/completion`` and ``/v1/health``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from starlette.responses import Response

from midfill.inference.errors import EngineBusy, EngineUnavailable
from midfill.inference.service.accounts import note_refusal
from midfill.inference.service.facade.answering import answer, nothing
from midfill.inference.service.facade.fim_prompt import Hole, read_prompt
from midfill.inference.service.facade.forms import prompt_text, stop_strings
from midfill.inference.service.facade.health_reply import health_word
from midfill.inference.service.facade.hole_request import wish
from midfill.inference.service.facade.llama_answers import (
    empty_answer,
    llama_answers,
    llama_piece,
    only,
)
from midfill.inference.service.facade.llama_faults import LLAMA
from midfill.inference.service.facade.llama_forms import (
    LlamaCompletionRequest,
    LlamaInfillRequest,
)
from midfill.inference.service.facade.streaming import Style, streamed, streamed_at_once
from midfill.inference.service.request_body import parse_body, read_body
from midfill.inference.wire import ContextFile

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request

    from midfill.inference.service.facade.desk import Desk
    from midfill.inference.service.facade.hole_request import Wish
    from midfill.inference.service.facade.llama_forms import LlamaRequest

PROMPT_MS = 500
"""For reading the text, where only the writing's time is limited."""


async def infill(desk: Desk, request: Request) -> Response:
    """A full queue is no error here: the tools that ask would pop up a message for each key."""
    form = parse_body(await read_body(request.stream()), LlamaInfillRequest)
    extra = (ContextFile(path=chunk.filename, text=chunk.text) for chunk in form.input_extra)
    prefix = form.input_prefix + prompt_text(form.prompt)
    hole = Hole(prefix, form.input_suffix, tuple(extra))
    try:
        return await _answered(desk, request, form, hole)
    except EngineBusy as error:
        if form.stream:
            raise
        note_refusal(error.code)
        empty = only(form.response_fields, empty_answer(desk.model))
        return _reply(empty, LLAMA.retry_headers(error))


async def completion(desk: Desk, request: Request) -> Response:
    form = parse_body(await read_body(request.stream()), LlamaCompletionRequest)
    return await _answered(desk, request, form, read_prompt(prompt_text(form.prompt)))


async def health(desk: Desk, request: Request) -> Response:
    """As llama.cpp's: 503 until requests can be answered."""
    word = health_word(desk.health)
    if word == "ok":
        return _reply({"status": word})
    told = LLAMA.json(EngineUnavailable(word.capitalize()), 503)
    return Response(told, 503, media_type="application/json")


async def _answered(desk: Desk, request: Request, form: LlamaRequest, hole: Hole) -> Response:
    asked = _wish(form, hole)
    fields = form.response_fields
    style = Style(
        texts=lambda given: given.texts,
        piece=lambda index, text: _json(llama_piece(index, text)),
        end=lambda given, index: _json(
            only(fields, llama_answers(given, desk.model)[index] | {"content": ""})
        ),
        errors=LLAMA,
    )
    if form.n_predict == 0:
        if hole.prefix or hole.suffix or hole.context:
            desk.warm_up(asked, request)
        if form.stream:
            return streamed_at_once(nothing(asked), style)
        return _reply(only(fields, empty_answer(desk.model)))
    fill = desk.begin(asked, request)
    if form.stream:
        return streamed(fill, asked, desk.model, style)
    given = await answer(fill, asked, desk.model, request)
    told = [only(fields, each) for each in llama_answers(given, desk.model)]
    return _reply(told if form.n_cmpl and form.n_cmpl > 1 else told[0])


def _wish(form: LlamaRequest, hole: Hole) -> Wish:
    return wish(
        hole,
        tokens=form.n_predict,
        deadline_ms=_milliseconds(form),
        stream=bool(form.stream),
        stops=stop_strings(form.stop),
        n_indent=form.n_indent or 0,
        n=form.n_cmpl or 1,
        seed=form.seed,
        temperature=form.temperature,
    )


def _milliseconds(form: LlamaRequest) -> int | None:
    """For reading and writing together; None where writing is not limited."""
    writing, reading = form.t_max_predict_ms or 0, form.t_max_prompt_ms or 0
    if writing <= 0:
        return None
    return writing + (reading if reading > 0 else PROMPT_MS)


def _json(content: object) -> str:
    """Without blanks: llama.vim looks for ``"content":"``."""
    return json.dumps(content, ensure_ascii=False, separators=(",", ":"))


def _reply(
    content: dict[str, Any] | list[dict[str, Any]], headers: Mapping[str, str] | None = None
) -> Response:
    return Response(_json(content), headers=headers, media_type="application/json")
