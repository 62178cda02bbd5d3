"""``/v1/completions``, ``/v1/fim/completions`` and ``/v1/models``."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from starlette.responses import Response

from midfill.inference.service.facade import openai_answers as answers
from midfill.inference.service.facade.answering import answer, nothing
from midfill.inference.service.facade.fim_prompt import Hole, read_prompt
from midfill.inference.service.facade.forms import prompt_text, stop_strings
from midfill.inference.service.facade.hole_request import wish
from midfill.inference.service.facade.openai_forms import (
    CompletionRequest,
    FimCompletionRequest,
    Model,
    Models,
)
from midfill.inference.service.facade.streaming import Style, streamed, streamed_at_once
from midfill.inference.service.request_body import parse_body, read_body

if TYPE_CHECKING:
    from starlette.requests import Request

    from midfill.inference.service.facade.answering import Answer
    from midfill.inference.service.facade.desk import Desk
    from midfill.inference.service.facade.forms import Reply
    from midfill.inference.service.facade.hole_request import Wish

DONE = b"data: [DONE]\n\n"


async def completions(desk: Desk, request: Request) -> Response:
    form = parse_body(await read_body(request.stream()), CompletionRequest)
    hole = _hole(prompt_text(form.prompt), form.suffix)
    asked = _wish(form, hole, form.seed)
    envelope = answers.Envelope(desk.model)
    echo, n = hole.prefix if form.echo else "", form.n or 1
    logprobs = form.logprobs is not None

    def usage(given: Answer) -> tuple[str, ...]:
        wanted = form.stream_options is not None and form.stream_options.include_usage
        return (_json(answers.completion_usage(envelope, given)),) if wanted else ()

    style = Style(
        texts=partial(answers.texts, n=n),
        piece=lambda index, text: _json(answers.completion_piece(envelope, index, text)),
        end=lambda given, index: _json(
            answers.completion_end(envelope, given, index, logprobs=logprobs)
        ),
        behind=usage,
        last=DONE,
        begin=echo,
    )
    if form.max_tokens == 0:
        given = nothing(asked)
        if form.stream:
            return streamed_at_once(given, style)
        return _reply(answers.completion(envelope, given, n, echo=echo))
    fill = desk.begin(asked, request)
    if form.stream:
        return streamed(fill, asked, desk.model, style)
    given = await answer(fill, asked, desk.model, request)
    return _reply(answers.completion(envelope, given, n, echo=echo, logprobs=logprobs))


async def fim_completions(desk: Desk, request: Request) -> Response:
    form = parse_body(await read_body(request.stream()), FimCompletionRequest)
    seed = form.seed if form.random_seed is None else form.random_seed
    asked = _wish(form, _hole(form.prompt, form.suffix), seed)
    envelope = answers.Envelope(desk.model)
    n = form.n or 1
    style = Style(
        texts=partial(answers.texts, n=n),
        piece=lambda index, text: _json(answers.fim_piece(envelope, index, text)),
        end=lambda given, index: _json(
            answers.fim_end(envelope, given, index, counted=index == n - 1)
        ),
        last=DONE,
    )
    if form.max_tokens == 0:
        given = nothing(asked)
        if form.stream:
            return streamed_at_once(given, style)
        return _reply(answers.fim_completion(envelope, given, n))
    fill = desk.begin(asked, request)
    if form.stream:
        return streamed(fill, asked, desk.model, style)
    given = await answer(fill, asked, desk.model, request)
    return _reply(answers.fim_completion(envelope, given, n))


async def models(desk: Desk, request: Request) -> Response:
    return _reply(Models(data=[Model(id=desk.model, created=desk.since)]))


def _hole(prompt: str, suffix: str | None) -> Hole:
    """With a suffix the prompt is taken as it is: its markers are a file's own text."""
    return Hole(prompt, suffix) if suffix else read_prompt(prompt)


def _wish(form: CompletionRequest | FimCompletionRequest, hole: Hole, seed: int | None) -> Wish:
    return wish(
        hole,
        tokens=form.max_tokens,
        deadline_ms=form.deadline_ms,
        stream=bool(form.stream),
        stops=stop_strings(form.stop),
        n=form.n or 1,
        seed=seed,
        temperature=form.temperature,
        shared=True,
    )


def _json(reply: Reply) -> str:
    return reply.model_dump_json()


def _reply(reply: Reply) -> Response:
    return Response(_json(reply), media_type="application/json")
