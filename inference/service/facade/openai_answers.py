"""A finished answer, and a piece of one, in OpenAI's and Mistral's forms."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypedDict
from uuid import uuid4

from midfill.inference.service.facade.openai_forms import (
    Completion,
    FimChoice,
    FimChunk,
    FimChunkChoice,
    FimCompletion,
    LogProbabilities,
    Message,
    TextChoice,
    Usage,
)

if TYPE_CHECKING:
    from midfill.inference.service.facade.answering import Answer
    from midfill.inference.service.facade.openai_forms import FinishReason


@dataclass(frozen=True, slots=True)
class Envelope:
    """What all parts of one answer share.

    Attributes:
        model: its name.
        id: of the answer.
        created: seconds since 1970.
    """

    model: str
    id: str = field(default_factory=lambda: f"cmpl-{uuid4().hex}")
    created: int = field(default_factory=lambda: int(time.time()))


def completion(
    envelope: Envelope, answer: Answer, n: int, *, echo: str = "", logprobs: bool = False
) -> Completion:
    """An unstreamed answer; ``echo`` stands in front of each text."""
    choices = [
        TextChoice(
            index=index,
            text=echo + text,
            logprobs=_log_probabilities(answer) if logprobs and index == 0 else None,
            finish_reason=_finish_reason(answer, index),
        )
        for index, text in enumerate(texts(answer, n))
    ]
    return Completion(**_shared(envelope), choices=choices, usage=usage(answer))


def completion_piece(envelope: Envelope, index: int, text: str) -> Completion:
    return Completion(**_shared(envelope), choices=[TextChoice(index=index, text=text)])


def completion_end(
    envelope: Envelope, answer: Answer, index: int, *, logprobs: bool = False
) -> Completion:
    """The last chunk of one choice."""
    choice = TextChoice(
        index=index,
        text="",
        logprobs=_log_probabilities(answer) if logprobs and index == 0 else None,
        finish_reason=_finish_reason(answer, index),
    )
    return Completion(**_shared(envelope), choices=[choice])


def completion_usage(envelope: Envelope, answer: Answer) -> Completion:
    """The chunk behind all others, where usage is asked for."""
    return Completion(**_shared(envelope), choices=[], usage=usage(answer))


def fim_completion(envelope: Envelope, answer: Answer, n: int) -> FimCompletion:
    choices = [
        FimChoice(
            index=index,
            message=Message(content=text),
            text=text,
            finish_reason=_finish_reason(answer, index),
        )
        for index, text in enumerate(texts(answer, n))
    ]
    return FimCompletion(**_shared(envelope), choices=choices, usage=usage(answer))


def fim_piece(envelope: Envelope, index: int, text: str) -> FimChunk:
    choice = FimChunkChoice(index=index, delta=Message(content=text))
    return FimChunk(**_shared(envelope), choices=[choice])


def fim_end(envelope: Envelope, answer: Answer, index: int, *, counted: bool) -> FimChunk:
    """The last chunk of one choice.

    Args:
        counted: whether it carries the usage, as that of the last choice does.
    """
    choice = FimChunkChoice(
        index=index, delta=Message(content=""), finish_reason=_finish_reason(answer, index)
    )
    return FimChunk(**_shared(envelope), choices=[choice], usage=usage(answer) if counted else None)


def usage(answer: Answer) -> Usage:
    """Of the first choice: what its alternatives took is not counted apart."""
    return Usage(
        prompt_tokens=answer.prompt_tokens,
        completion_tokens=answer.tokens,
        total_tokens=answer.prompt_tokens + answer.tokens,
    )


def texts(answer: Answer, n: int) -> list[str]:
    """As many as were asked for: where too few differ, the first again."""
    return [*answer.texts[:n], *[answer.text] * (n - len(answer.texts))]


def _finish_reason(answer: Answer, index: int) -> FinishReason:
    repeats_first = index >= len(answer.texts)
    return "length" if answer.limited and (index == 0 or repeats_first) else "stop"


def _log_probabilities(answer: Answer) -> LogProbabilities | None:
    if answer.final is None or not answer.final.log_probabilities:
        return None
    return LogProbabilities(token_logprobs=list(answer.final.log_probabilities))


class _Shared(TypedDict):
    id: str
    created: int
    model: str


def _shared(envelope: Envelope) -> _Shared:
    return {"id": envelope.id, "created": envelope.created, "model": envelope.model}
