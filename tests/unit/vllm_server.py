"""A vLLM server as far as its contract goes: real HTTP, a toy for a model, and faults on demand.

It checks every field that it is sent and refuses, as vLLM does, what the contract does not allow;
unlike vLLM it also refuses fields that it does not know, so that a misspelt one is found.

The contract is that of vLLM's OpenAI-compatible server and of its ``structured_diffusion`` example.
"""

from __future__ import annotations

import asyncio
import json
import re
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import uvicorn
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.applications import Starlette
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

if TYPE_CHECKING:
    from starlette.requests import Request

QWEN_MARKERS = (
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<|fim_prefix|>",
    "<|fim_middle|>",
    "<|fim_suffix|>",
    "<|fim_pad|>",
    "<|repo_name|>",
    "<|file_sep|>",
)
DEEPSEEK_MARKERS = (
    "<｜begin▁of▁sentence｜>",
    "<｜end▁of▁sentence｜>",
    "<｜fim▁begin｜>",
    "<｜fim▁hole｜>",
    "<｜fim▁end｜>",
)
CODESTRAL_MARKERS = ("<s>", "</s>", "[PREFIX]", "[SUFFIX]")
CODE_LLAMA_MARKERS = ("<s>", "</s>", "▁<PRE>", "▁<SUF>", "▁<MID>", "▁<EOT>")
STARCODER_MARKERS = (
    "<|endoftext|>",
    "<fim_prefix>",
    "<fim_middle>",
    "<fim_suffix>",
    "<fim_pad>",
    "<repo_name>",
    "<file_sep>",
)
GEMMA_MARKERS = (
    "<pad>",
    "<eos>",
    "<bos>",
    "<mask>",
    "<|turn>",
    "<turn|>",
    "<|channel>",
    "<channel|>",
)

WORDS = (
    "def",
    "return",
    "    ",
    "None",
    "main",
    "print",
    "user",
    "model",
    "thought",
    "code",
    "suffix",
    "answer",
    "total",
    "value",
)

Answer = Callable[[str, str, int], str]
"""From the prefix, the suffix and the number of the draw to a middle."""


class ToyTokenizer:
    """Markers, bytes and a few words; splits markers out of text first, as tokenizers do.

    Attributes:
        names: the text of each id; bytes for ordinary ones.
        blank_first: text gets a blank in front, as with SentencePiece.
    """

    def __init__(
        self, markers: tuple[str, ...], begin: str = "", blank_first: bool = False
    ) -> None:
        self.markers = {name: i for i, name in enumerate(markers)}
        self.begin = [self.markers[begin]] if begin else []
        self.blank_first = blank_first
        plain = [bytes([value]) for value in range(256)] + [word.encode() for word in WORDS]
        self.plain = {text: len(markers) + i for i, text in enumerate(plain)}
        self.names: list[str | bytes] = [*markers, *plain]
        self._split = re.compile("(" + "|".join(map(re.escape, markers)) + ")")
        self._pieces = re.compile(
            b"|".join([*(re.escape(word.encode()) for word in WORDS), b"(?s:.)"])
        )

    @property
    def size(self) -> int:
        return len(self.names)

    def encode(self, text: str, *, special: bool = False) -> list[int]:
        ids = list(self.begin) if special else []
        for number, part in enumerate(self._split.split(text)):
            if part in self.markers:
                ids.append(self.markers[part])
            elif part:
                blank = b" " if self.blank_first and number == 0 else b""
                found = self._pieces.findall(blank + part.encode())
                ids += [self.plain[piece] for piece in found]
        return ids

    def decode(self, ids: list[int], *, skip_special: bool = False) -> str:
        parts = []
        for token in ids:
            name = self.names[token]
            if isinstance(name, bytes):
                parts.append(name)
            elif not skip_special:
                parts.append(name.encode())
        text = b"".join(parts).decode("utf-8", "replace")
        return text.removeprefix(" ") if self.blank_first else text


@dataclass
class Faults:
    """What goes wrong, at one path.

    Attributes:
        path: where.
        statuses: answered first, one a request, with their headers.
        silent: nothing is ever answered.
        stall_after, close_after: chunks of a stream after which nothing comes, or the end does.
        no_done: a stream ends without saying so.
        body: is answered instead, with this content type.
        error_in_stream: the second chunk is vLLM's way to say that it failed.
        lies: a pinned slot comes back as another id.
        out_of_range: ids come back that no vocabulary has.
    """

    path: str = "/v1/completions"
    statuses: list[tuple[int, dict[str, str]]] = field(default_factory=list)
    silent: bool = False
    stall_after: int | None = None
    close_after: int | None = None
    no_done: bool = False
    body: bytes | None = None
    content_type: str = "application/json"
    error_in_stream: bool = False
    lies: bool = False
    out_of_range: bool = False


def echo_nothing(prefix: str, suffix: str, draw: int) -> str:
    return "total + value" if draw == 0 else f"total + value{draw}"


@dataclass
class State:
    """A server as one test has it.

    Attributes:
        tokenizer: of the model.
        answer: what the model writes.
        names: of the models; all the same one.
        canvas: slots of the served canvas; 0 for an autoregressive model.
        takes_canvases: whether it knows the per-request arguments of diffusion models.
        key: that is asked for under /v1.
        lacks: paths that it does not have.
        asked: path, body and headers of each request so far.
        dropped: set when a client goes away before its answer was whole.
        refused: what was wrong with requests that got 400.
    """

    tokenizer: ToyTokenizer
    answer: Answer = echo_nothing
    names: tuple[str, ...] = ("toy",)
    max_model_len: int = 4096
    canvas: int = 0
    takes_canvases: bool = True
    key: str = ""
    lacks: tuple[str, ...] = ()
    cached_tokens: int | None = None
    faults: Faults = field(default_factory=Faults)
    asked: list[tuple[str, Any, dict[str, str]]] = field(default_factory=list)
    dropped: threading.Event = field(default_factory=threading.Event)
    refused: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{_port()}"

    @property
    def name(self) -> str:
        """As ``--model`` takes it."""
        return f"vllm:{self.url}"

    def bodies(self, path: str = "/v1/completions") -> list[Any]:
        return [body for asked, body, _ in self.asked if asked == path]


def qwen_server(**settings: Any) -> State:  # noqa: ANN401 - as State takes them
    """An autoregressive model with Qwen's markers."""
    return serve(State(ToyTokenizer(QWEN_MARKERS), **settings))


def gemma_server(**settings: Any) -> State:  # noqa: ANN401 - as State takes them
    """DiffusionGemma, whose canvas has 64 slots."""
    settings.setdefault("canvas", 64)
    return serve(State(ToyTokenizer(GEMMA_MARKERS, "<bos>"), **settings))


def serve(state: State) -> State:
    """Have the one server of this process be this one from now on."""
    _port()
    _app.state.served = state
    return state


class Refused(Exception):
    """An answer other than 200."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


Json = dict[str, Any]
Kind = TypeVar("Kind", bound="Body")


class Body(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    model: str | None = None


class TokenizeBody(Body):
    prompt: str
    add_special_tokens: bool = True
    return_token_strs: bool | None = False


class DetokenizeBody(Body):
    tokens: list[Annotated[int, Field(ge=0, lt=2**63)]]


class StreamOptions(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    include_usage: bool | None = True
    continuous_usage_stats: bool | None = False


class CompletionBody(Body):
    prompt: list[Annotated[int, Field(ge=0)]] | str
    max_tokens: int = Field(16, ge=1)
    n: int = Field(1, ge=1)
    temperature: float | None = Field(None, ge=0, le=2)
    top_p: float | None = Field(None, gt=0, le=1)
    seed: int | None = Field(None, ge=-(2**63), lt=2**63)
    logprobs: int | None = Field(None, ge=0, le=20)
    stream: bool = False
    stream_options: StreamOptions | None = None
    stop_token_ids: list[int] = []
    skip_special_tokens: bool = True
    return_token_ids: bool | None = None
    vllm_xargs: dict[str, str | int | float | list[str | int | float]] | None = None


class Arguments(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    diffusion_seed_canvas: list[int] | None = None
    diffusion_pinned: list[int] | None = None
    diffusion_max_steps: int | None = Field(None, gt=0)
    diffusion_canvas_length: int | None = Field(None, gt=0)
    diffusion_read_only: int | None = Field(None, ge=0, le=1)


def _fields(kind: type[Kind], body: Json | None, state: State) -> Kind:
    try:
        fields = kind.model_validate(body)
    except ValidationError as error:
        # vLLM's message quotes what it was sent, too
        raise Refused(400, f"{error.errors()[0]['loc']}: {body}") from None
    if fields.model is not None and fields.model not in state.names:
        raise Refused(404, f"The model `{fields.model}` does not exist.")
    return fields


def _check(valid: bool, message: str) -> None:
    if not valid:
        raise Refused(400, message)


def _arguments(state: State, body: CompletionBody) -> Arguments:
    """The per-request arguments; those that a server does not know it passes over."""
    if not state.canvas or not state.takes_canvases:
        return Arguments()
    try:
        given = Arguments.model_validate(body.vllm_xargs or {})
    except ValidationError as error:
        raise Refused(400, str(error.errors()[0]["loc"])) from None
    width = given.diffusion_canvas_length or state.canvas
    _check(width <= state.canvas, "diffusion_canvas_length is over the served canvas")
    seed, pinned = given.diffusion_seed_canvas, given.diffusion_pinned
    if seed is not None:
        _check(len(seed) == width, f"diffusion_seed_canvas must hold exactly {width} ids")
        _check(all(0 <= i < state.tokenizer.size for i in seed), "ids outside of the vocabulary")
    if pinned is not None:
        _check(seed is not None, "diffusion_pinned needs a seed")
        _check(all(0 <= slot < width for slot in pinned), "pinned outside of the canvas")
    return given


def _sides(tokenizer: ToyTokenizer, ids: list[int]) -> tuple[str, str]:
    """The text before and behind the hole, from where the prompt's markers say they are."""
    at = {
        name: len(ids) - 1 - ids[::-1].index(i) for name, i in tokenizer.markers.items() if i in ids
    }

    def between(start: str, end: str | None = None) -> str:
        return tokenizer.decode(ids[at[start] + 1 : at[end] if end else None])

    if "<|turn>" in at:
        asked, _, written = tokenizer.decode(ids).rpartition("<channel|>")
        behind, front = (
            re.search(rf"<{tag}>(.*)</{tag}>", asked, re.DOTALL) for tag in ("behind", "front")
        )
        return front[1] if front else written, behind[1] if behind else ""
    if "<|fim_middle|>" in at:
        return between("<|fim_middle|>"), between("<|fim_suffix|>", "<|fim_middle|>")
    if "<fim_middle>" in at:
        return between("<fim_middle>"), between("<fim_suffix>", "<fim_middle>")
    if "<｜fim▁end｜>" in at:
        before = between("<｜fim▁begin｜>", "<｜fim▁hole｜>")
        return before, between("<｜fim▁hole｜>", "<｜fim▁end｜>")
    if "[PREFIX]" in at:
        return between("[PREFIX]"), between("[SUFFIX]", "[PREFIX]")
    if "▁<MID>" in at:
        return between("▁<MID>"), between("▁<SUF>", "▁<MID>")
    return tokenizer.decode(ids), ""


def _prompt_ids(state: State, body: CompletionBody) -> list[int]:
    ids = body.prompt if isinstance(body.prompt, list) else state.tokenizer.encode(body.prompt)
    _check(bool(ids), "an empty prompt")
    _check(all(i < state.tokenizer.size for i in ids), "Token id is out of vocabulary")
    longest = state.max_model_len - body.max_tokens
    _check(len(ids) <= longest, f"maximum context length is {state.max_model_len}")
    return ids


def _checked(state: State, body: CompletionBody) -> tuple[list[int], Arguments]:
    _check(body.stream_options is None or body.stream, "stream_options without stream")
    _check(body.n == 1 or bool(body.temperature), "n must be 1 when using greedy sampling")
    _check(all(0 <= i < state.tokenizer.size for i in body.stop_token_ids), "stop_token_ids")
    return _prompt_ids(state, body), _arguments(state, body)


def _canvas(state: State, ids: list[int], given: Arguments) -> tuple[list[int], list[float]]:
    """The canvas, and how sure of each slot the toy is: very, where the middle just fits."""
    tokenizer = state.tokenizer
    seed = list(given.diffusion_seed_canvas or [])
    pinned = set(given.diffusion_pinned or [])
    free = [slot for slot in range(len(seed)) if slot not in pinned]
    held = [seed[slot] for slot in range(len(seed)) if slot in pinned]
    prefix, suffix = _sides(tokenizer, ids)
    middle = tokenizer.encode(state.answer(prefix, suffix or tokenizer.decode(held), 0))
    sure = -0.02 if len(middle) == len(free) else -1.0
    for slot, token in zip(free, [*middle, *held, *held], strict=False):
        seed[slot] = token
    if state.faults.lies and pinned and free:
        seed[max(pinned)] = (seed[max(pinned)] + 1) % tokenizer.size
    return seed, [0.0 if slot in pinned else sure for slot in range(len(seed))]


def _chunks(state: State, body: CompletionBody, ids: list[int], draw: int) -> list[list[int]]:
    """The ids of an answer in the pieces in which they are streamed."""
    prefix, suffix = _sides(state.tokenizer, ids)
    answer = state.answer(prefix, suffix, draw)
    written = state.tokenizer.encode(answer)[: body.max_tokens]
    step = state.canvas or 1
    return [written[at : at + step] for at in range(0, len(written), step)] or [[]]


def _choice(
    state: State, body: CompletionBody, ids: list[int], index: int, reason: str | None
) -> dict[str, Any]:
    choice: dict[str, Any] = {
        "index": index,
        "text": state.tokenizer.decode(ids, skip_special=body.skip_special_tokens),
        "logprobs": None,
        "finish_reason": reason,
        "stop_reason": None,
    }
    if body.logprobs is not None:
        choice["logprobs"] = {
            "text_offset": [0] * len(ids),
            "tokens": [state.tokenizer.decode([i]) for i in ids],
            "token_logprobs": [-0.1] * len(ids),
            "top_logprobs": [{} for _ in ids],
        }
    if body.return_token_ids:
        choice["token_ids"] = [i + 2**40 for i in ids] if state.faults.out_of_range else ids
    return choice


def _usage(state: State, prompt: int, written: int) -> dict[str, Any]:
    usage: dict[str, Any] = {
        "prompt_tokens": prompt,
        "completion_tokens": written,
        "total_tokens": prompt + written,
    }
    if state.cached_tokens is not None:
        usage["prompt_tokens_details"] = {"cached_tokens": state.cached_tokens}
    return usage


async def _stream(
    state: State, faults: Faults, body: CompletionBody, ids: list[int]
) -> AsyncIterator[bytes]:
    def event(choices: list[Json], usage: Json | None = None) -> bytes:
        chunk = {"id": "cmpl-1", "object": "text_completion", "created": 1, "model": state.names[0]}
        return (
            b"data: " + json.dumps({**chunk, "choices": choices, "usage": usage}).encode() + b"\n\n"
        )

    sent = written = 0
    finished = False
    try:
        for draw in range(body.n):
            pieces = _chunks(state, body, ids, draw + (1 if body.temperature else 0))
            text: list[int] = []
            told = 0
            for number, piece in enumerate(pieces):
                if faults.close_after == sent:
                    raise ConnectionResetError("as the test wants it")
                if faults.stall_after == sent:
                    await asyncio.sleep(60)
                if faults.error_in_stream and sent == 1:
                    error = {"message": "boom", "type": "InternalServerError", "code": 500}
                    yield b"data: " + json.dumps({"error": error}).encode() + b"\n\n"
                text += piece
                whole = state.tokenizer.decode(text, skip_special=body.skip_special_tokens)
                written += len(piece)
                last = number + 1 == len(pieces)
                full = written >= body.max_tokens and not state.canvas
                reason = ("length" if full else "stop") if last else None
                choice = _choice(state, body, piece, draw, reason)
                # a character is sent when its last byte is there
                if whole.endswith("\N{REPLACEMENT CHARACTER}") and not last:
                    whole = whole[:told]
                choice["text"], told = whole[told:], len(whole)
                yield event([choice])
                sent += 1
                await asyncio.sleep(0)
        if faults.stall_after == sent:
            await asyncio.sleep(60)
        if body.stream_options and body.stream_options.include_usage:
            yield event([], usage=_usage(state, len(ids), written))
        if not faults.no_done:
            yield b"data: [DONE]\n\n"
        finished = True
    finally:
        if not finished:
            state.dropped.set()


async def _complete(state: State, faults: Faults, sent: Json | None) -> Response:
    body = _fields(CompletionBody, sent, state)
    ids, given = _checked(state, body)
    if body.stream:
        return StreamingResponse(
            _stream(state, faults, body, ids), media_type="text/event-stream; charset=utf-8"
        )
    if given.diffusion_read_only and given.diffusion_seed_canvas:
        canvas, sureness = _canvas(state, ids, given)
        choice = _choice(state, body, canvas[: body.max_tokens], 0, "length")
        choice["logprobs"]["token_logprobs"] = sureness
        choices, written = [choice], len(canvas)
    else:
        pieces = _chunks(state, body, ids, 0)
        flat = [i for piece in pieces for i in piece]
        choices, written = [_choice(state, body, flat, 0, "stop")], len(flat)
    answer = {"id": "cmpl-1", "object": "text_completion", "created": 1, "model": state.names[0]}
    return JSONResponse({**answer, "choices": choices, "usage": _usage(state, len(ids), written)})


async def _answer(state: State, faults: Faults, path: str, sent: Json | None) -> Response:
    tokenizer = state.tokenizer
    if path == "/health":
        return Response(status_code=200)
    if path == "/version":
        return JSONResponse({"version": "0.33.0"})
    if path == "/v1/models":
        cards = [
            {
                "id": name,
                "object": "model",
                "owned_by": "vllm",
                "max_model_len": state.max_model_len,
            }
            for name in state.names
        ]
        return JSONResponse({"object": "list", "data": cards})
    if path == "/tokenize":
        body = _fields(TokenizeBody, sent, state)
        ids = tokenizer.encode(body.prompt, special=body.add_special_tokens)
        return JSONResponse(
            {"count": len(ids), "max_model_len": state.max_model_len, "tokens": ids}
        )
    if path == "/detokenize":
        body = _fields(DetokenizeBody, sent, state)
        _check(all(i < tokenizer.size for i in body.tokens), "ids outside of the vocabulary")
        return JSONResponse({"prompt": tokenizer.decode(body.tokens)})
    return await _complete(state, faults, sent)


def _error(state: State, status: int, message: str) -> Response:
    if status == 401:
        return JSONResponse({"error": "Unauthorized"}, status)
    if status == 400:
        state.refused.append(message)
    error = {"message": message, "type": "BadRequestError", "param": None, "code": status}
    return JSONResponse({"error": error}, status)


async def _endpoint(request: Request) -> Response:
    state: State = _app.state.served
    path = request.url.path
    body = await request.json() if request.method == "POST" else None
    state.asked.append((path, body, dict(request.headers)))
    faults = state.faults if state.faults.path == path else Faults()
    if path in state.lacks:
        return JSONResponse({"detail": "Not Found"}, 404)
    wanted = f"Bearer {state.key}" if state.key and path.startswith("/v1") else None
    if wanted and request.headers.get("authorization") != wanted:
        return _error(state, 401, "")
    if faults.statuses:
        status, headers = faults.statuses.pop(0)
        answer = _error(state, status, f"as the test wants it, and {body}")
        answer.headers.update(headers)
        return answer
    if faults.silent:
        while not await request.is_disconnected():
            await asyncio.sleep(0.01)
        state.dropped.set()
        return Response()
    if faults.body is not None:
        return Response(faults.body, media_type=faults.content_type)
    try:
        return await _answer(state, faults, path, body)
    except Refused as refused:
        return _error(state, refused.status, str(refused))


_app = Starlette(
    routes=[
        Route("/health", _endpoint),
        Route("/version", _endpoint),
        Route("/v1/models", _endpoint),
        Route("/tokenize", _endpoint, methods=["POST"]),
        Route("/detokenize", _endpoint, methods=["POST"]),
        Route("/v1/completions", _endpoint, methods=["POST"]),
    ]
)
_started: dict[str, int] = {}


def _port() -> int:
    """Where the one server of this process listens; started when it is first asked."""
    if "port" not in _started:
        # asyncio sends at once only on sockets that say that they are TCP's
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listener.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(_app, log_level="critical", lifespan="off"))
        threading.Thread(target=server.run, args=([listener],), daemon=True).start()
        ends = time.monotonic() + 10
        while not server.started:
            assert time.monotonic() < ends, "the server did not start"
            time.sleep(0.01)
        _started["port"] = listener.getsockname()[1]
    return _started["port"]
