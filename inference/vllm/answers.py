"""What a vLLM server says, as far as Midfill reads it; what else it says is passed over.

Source: vLLM's OpenAI-compatible server, its completion, tokenizer and model-list protocols.
"""

from __future__ import annotations

from typing import Annotated, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

TokenId = Annotated[int, Field(ge=0, lt=2**31)]
Nats = Annotated[float, Field(allow_inf_nan=False)]


class Answer(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, extra="ignore")


class ModelCard(Answer):
    id: str = Field(min_length=1, max_length=512)
    max_model_len: int | None = Field(default=None, ge=1)


class ModelList(Answer):
    data: list[ModelCard]


class Version(Answer):
    version: str = Field(max_length=200)


class Tokenized(Answer):
    tokens: list[TokenId]


class Detokenized(Answer):
    prompt: str


class LogProbabilities(Answer):
    token_logprobs: list[Nats | None] = []


class Choice(Answer):
    """A completion, or the next piece of one."""

    index: int = Field(default=0, ge=0)
    text: str
    logprobs: LogProbabilities | None = None
    finish_reason: str | None = None
    token_ids: list[TokenId] | None = None


class PromptDetails(Answer):
    cached_tokens: int | None = Field(default=None, ge=0)


class Usage(Answer):
    prompt_tokens: int = Field(ge=0)
    completion_tokens: int | None = Field(default=None, ge=0)
    prompt_tokens_details: PromptDetails | None = None


class Completion(Answer):
    """A whole answer, or a chunk of a stream; the stream's last one may have no choices."""

    choices: list[Choice]
    usage: Usage | None = None


Kind = TypeVar("Kind", bound=Answer)


def read(kind: type[Kind], document: bytes) -> Kind | None:
    """An answer of this kind; nothing if the document is not one.

    pydantic's error would quote the document, so it ends here.
    """
    try:
        return kind.model_validate_json(document)
    except ValidationError:
        return None
