"""Ollama's ``/api/generate`` and ``/api/tags``, as far as completion needs them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from starlette.responses import Response

from midfill.inference.service.error_forms import ErrorForm
from midfill.inference.service.facade.answering import answer
from midfill.inference.service.facade.faults import BAD_REQUEST, RETRY_SECONDS
from midfill.inference.service.facade.fim_prompt import Hole, read_prompt
from midfill.inference.service.facade.forms import (
    Form,
    Reply,
    Seed,
    SignedTokens,
    Stops,
    Temperature,
    stop_strings,
)
from midfill.inference.service.facade.hole_request import wish
from midfill.inference.service.facade.streaming import Style, json_line, streamed
from midfill.inference.service.request_body import parse_body, read_body

if TYPE_CHECKING:
    from starlette.requests import Request

    from midfill.inference.service.facade.answering import Answer
    from midfill.inference.service.facade.desk import Desk
    from midfill.inference.wire import Failure


class GenerateOptions(Form):
    num_predict: SignedTokens | None = None
    temperature: Temperature | None = None
    seed: Seed | None = None
    stop: Stops | None = None


class GenerateRequest(Form):
    """Fill the hole between prompt and suffix, or where the prompt's own markers say."""

    model: str | None = None
    prompt: str
    suffix: str | None = None
    stream: bool | None = None
    """Unless it is false, the answer comes in lines."""
    options: GenerateOptions | None = None


class GenerateReply(Reply):
    """An answer, or one line of it."""

    model: str
    created_at: str
    response: str
    done: bool
    done_reason: str | None = None
    total_duration: int | None = None
    """Nanoseconds, as the other two."""
    prompt_eval_count: int | None = None
    prompt_eval_duration: int | None = None
    eval_count: int | None = None
    eval_duration: int | None = None


class OllamaFault(Reply):
    """An error, in place of an answer or of its last line."""

    error: str


class Tag(Reply):
    name: str
    model: str
    modified_at: str


class Tags(Reply):
    models: list[Tag]


def _written_fault(failure: Failure, status: int) -> OllamaFault:
    return OllamaFault(error=failure.message)


OLLAMA = ErrorForm(OllamaFault, _written_fault, BAD_REQUEST, RETRY_SECONDS)


async def generate(desk: Desk, request: Request) -> Response:
    form = parse_body(await read_body(request.stream()), GenerateRequest)
    options = form.options or GenerateOptions()
    stream = form.stream is not False
    began = _written(datetime.now(UTC))
    if not form.prompt and not form.suffix:
        desk.load()
        loading = GenerateReply(
            model=desk.model, created_at=began, response="", done=True, done_reason="load"
        )
        return _reply(loading)
    asked = wish(
        Hole(form.prompt, form.suffix) if form.suffix else read_prompt(form.prompt),
        tokens=-1 if options.num_predict == 0 else options.num_predict,  # Ollama's 0 is no limit
        deadline_ms=None,
        stream=stream,
        stops=stop_strings(options.stop),
        seed=options.seed,
        temperature=options.temperature,
    )
    fill = desk.begin(asked, request)
    if not stream:
        given = await answer(fill, asked, desk.model, request)
        return _reply(_finished(desk.model, began, given, given.text))

    def piece(index: int, text: str) -> str:
        reply = GenerateReply(model=desk.model, created_at=began, response=text, done=False)
        return reply.model_dump_json(exclude_none=True)

    style = Style(
        texts=lambda given: given.texts,
        piece=piece,
        end=lambda given, index: _json(_finished(desk.model, began, given, "")),
        frame=json_line,
        errors=OLLAMA,
    )
    return streamed(fill, asked, desk.model, style)


async def tags(desk: Desk, request: Request) -> Response:
    since = _written(datetime.fromtimestamp(desk.since, UTC))
    return _reply(Tags(models=[Tag(name=desk.model, model=desk.model, modified_at=since)]))


def _finished(model: str, began: str, given: Answer, text: str) -> GenerateReply:
    ms = given.final.ms if given.final else None
    return GenerateReply(
        model=model,
        created_at=began,
        response=text,
        done=True,
        done_reason="length" if given.limited else "stop",
        total_duration=int(ms.total * 1e6) if ms else None,
        prompt_eval_count=given.prompt_tokens,
        prompt_eval_duration=int(ms.encode * 1e6) if ms else None,
        eval_count=given.tokens,
        eval_duration=int(ms.denoise * 1e6) if ms else None,
    )


def _written(time: datetime) -> str:
    return time.isoformat().replace("+00:00", "Z")


def _json(reply: Reply) -> str:
    return reply.model_dump_json(exclude_none=True)


def _reply(reply: Reply) -> Response:
    return Response(_json(reply), media_type="application/json")
