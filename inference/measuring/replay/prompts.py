"""What others are given to read: the same text as our own model reads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from midfill.inference.fillers.hole_text import hole_text
from midfill.inference.prompt import build_prompt
from midfill.inference.wire_prompt import PromptPart

if TYPE_CHECKING:
    from collections.abc import Callable

    from midfill.inference.tokenizer import Tokenizer
    from midfill.inference.wire import InfillRequest
    from midfill.inference.wire_prompt import ShownPrompt

    Pieces = list[int | str]
    """Token ids and text in between, as llama.cpp takes them."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """What llama.cpp is given.

    Attributes:
        pieces: token ids, and text in between.
        owed: what it has to write first, because it was taken back from the prompt's end.
    """

    pieces: Pieces
    owed: str = ""


if TYPE_CHECKING:
    PromptOf = Callable[[InfillRequest], Prompt]


@dataclass(frozen=True, slots=True)
class Sides:
    """The text before and behind the hole, as far as our own model reads it."""

    prefix: str
    suffix: str


class ShowsPrompts(Protocol):
    """The part of an `Engine` that tells what it reads."""

    def prompt(self, request: InfillRequest) -> ShownPrompt: ...


def sides(engine: ShowsPrompts, request: InfillRequest) -> Sides:
    """Cut a request's text to the windows of our own model."""
    shown = engine.prompt(request)

    def text(part: PromptPart) -> str:
        return "".join(piece.text for piece in shown.pieces if piece.part is part)

    return Sides(text(PromptPart.PREFIX) + shown.owed, text(PromptPart.SUFFIX))


def own_tokens(tokenizer: Tokenizer, request: InfillRequest, *, healing: bool = True) -> Prompt:
    """The very tokens that the embedded model reads.

    Args:
        tokenizer: the embedded model's.
        request: what is asked.
        healing: whether the partial token at the cursor is owed, as it is in our own engine; else
            it stands at the prompt's end.
    """
    text = hole_text(request)
    prompt = build_prompt(tokenizer, text.prefix, text.suffix, request.context)
    owed = prompt.owed.decode()
    if healing:
        return Prompt([*prompt.tokens], owed)
    return Prompt([*prompt.tokens, *tokenizer.encode(owed)])
