"""Requests of llama.cpp's server."""

from __future__ import annotations

from typing import Annotated

from pydantic import AliasChoices, Field

from midfill.inference.service.facade.forms import (
    Count,
    Form,
    Milliseconds,
    Natural,
    Prompt,
    Seed,
    SignedTokens,
    Stops,
    Temperature,
)


class LlamaRequest(Form):
    """What both of its forms may hold."""

    model: str | None = None
    n_predict: SignedTokens | None = Field(
        default=None, validation_alias=AliasChoices("n_predict", "max_tokens")
    )
    """Tokens at most; negative: as many as there may be. 0: read the text, and write nothing."""
    n_indent: Natural | None = None
    n_cmpl: Count | None = Field(default=None, validation_alias=AliasChoices("n_cmpl", "n"))
    t_max_prompt_ms: Milliseconds | None = None
    t_max_predict_ms: Milliseconds | None = None
    temperature: Temperature | None = None
    seed: Seed | None = None
    stop: Stops | None = None
    stream: bool | None = None
    response_fields: Annotated[list[str], Field(max_length=256)] | None = None


class LlamaCompletionRequest(LlamaRequest):
    """Go on with a text, or fill the hole that its markers say."""

    prompt: Prompt


class ExtraChunk(Form):
    """A piece of another file."""

    text: str
    filename: str = ""


class LlamaInfillRequest(LlamaRequest):
    """Fill the hole between the lines before, the line up to the cursor, and what follows."""

    input_prefix: str = ""
    input_suffix: str = ""
    input_extra: Annotated[list[ExtraChunk], Field(max_length=1024)] = Field(default_factory=list)
    """Oldest first."""
    prompt: Prompt = ""
