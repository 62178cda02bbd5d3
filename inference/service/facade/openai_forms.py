"""Requests and answers of OpenAI's completions and of Mistral's FIM completions."""

from __future__ import annotations

from typing import Literal

from midfill.inference.service.facade.forms import (
    Count,
    Form,
    Milliseconds,
    Natural,
    Prompt,
    Reply,
    Seed,
    Stops,
    Temperature,
)

FinishReason = Literal["stop", "length"]


class StreamOptions(Form):
    include_usage: bool = False


class CompletionRequest(Form):
    """Fill a hole: between prompt and suffix, or where the prompt's own markers say."""

    model: str | None = None
    """Any: an engine has one model."""
    prompt: Prompt
    suffix: str | None = None
    max_tokens: Natural | None = None
    temperature: Temperature | None = None
    n: Count | None = None
    seed: Seed | None = None
    stop: Stops | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    echo: bool | None = None
    logprobs: Natural | None = None
    deadline_ms: Milliseconds | None = None
    """Midfill's own: how long the engine may take."""


class FimCompletionRequest(Form):
    """The same in Mistral's form."""

    model: str | None = None
    prompt: str
    suffix: str | None = None
    max_tokens: Natural | None = None
    temperature: Temperature | None = None
    n: Count | None = None
    random_seed: Seed | None = None
    seed: Seed | None = None
    stop: Stops | None = None
    stream: bool | None = None
    deadline_ms: Milliseconds | None = None


class LogProbabilities(Reply):
    """Natural logarithms, token by token; the tokens themselves are not told."""

    tokens: list[str] | None = None
    token_logprobs: list[float]
    top_logprobs: list[dict[str, float]] | None = None
    text_offset: list[int] | None = None


class Usage(Reply):
    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class TextChoice(Reply):
    index: int
    text: str
    logprobs: LogProbabilities | None = None
    finish_reason: FinishReason | None = None


class Completion(Reply):
    """An answer, or one chunk of it."""

    id: str
    object: Literal["text_completion"] = "text_completion"
    created: int
    model: str
    choices: list[TextChoice]
    usage: Usage | None = None


class Message(Reply):
    role: Literal["assistant"] = "assistant"
    content: str


class FimChoice(Reply):
    """Both the form of Mistral's answers and that of older ones."""

    index: int
    message: Message
    text: str
    logprobs: LogProbabilities | None = None
    finish_reason: FinishReason


class FimCompletion(Reply):
    id: str
    object: Literal["chat.completion"] = "chat.completion"
    created: int
    model: str
    choices: list[FimChoice]
    usage: Usage


class FimChunkChoice(Reply):
    index: int
    delta: Message
    finish_reason: FinishReason | None = None


class FimChunk(Reply):
    id: str
    object: Literal["chat.completion.chunk"] = "chat.completion.chunk"
    created: int
    model: str
    choices: list[FimChunkChoice]
    usage: Usage | None = None


class Model(Reply):
    id: str
    object: Literal["model"] = "model"
    created: int
    owned_by: Literal["midfill"] = "midfill"


class Models(Reply):
    object: Literal["list"] = "list"
    data: list[Model]
