"""What all request forms of other tools have in common."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field


class Form(BaseModel):
    """A request: fields that are not known are ignored, known ones have to be of their type."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)


class Reply(BaseModel):
    """An answer."""

    model_config = ConfigDict(frozen=True)


def _whole(value: Any) -> Any:  # noqa: ANN401 (whatever was sent)
    """JSON knows no integers: 7.0 is one, too."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


_Whole = BeforeValidator(_whole)

Seed = Annotated[int, Field(ge=-(2**63), lt=2**63), _Whole]
Temperature = Annotated[float, Field(ge=0.0, le=2.0)]
Count = Annotated[int, Field(ge=1, le=8), _Whole]
Milliseconds = Annotated[int, Field(ge=-(2**53), le=2**53), _Whole]
Natural = Annotated[int, Field(ge=0, le=2**53), _Whole]
SignedTokens = Annotated[int, Field(ge=-(2**53), le=2**53), _Whole]
"""Where a negative number means as many as there may be."""
Stops = str | Annotated[list[str], Field(max_length=64)]


def _one_text(value: Any) -> Any:  # noqa: ANN401 (whatever was sent)
    if isinstance(value, str) or (
        isinstance(value, list) and len(value) == 1 and isinstance(value[0], str)
    ):
        return value
    raise ValueError("should be one text: several at once, or ids of tokens, are not filled")


Prompt = Annotated[
    str | Annotated[list[str], Field(min_length=1, max_length=1)], BeforeValidator(_one_text)
]


def prompt_text(prompt: Prompt) -> str:
    return prompt if isinstance(prompt, str) else prompt[0]


def stop_strings(stop: Stops | None) -> tuple[str, ...]:
    if stop is None:
        return ()
    return (stop,) if isinstance(stop, str) else tuple(stop)
