"""The strict reading of an answer: the hole's text, a closing tag, and nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING

from midfill.inference.models.diffusion_gemma.prompt import MIDDLE, MIDDLE_END

if TYPE_CHECKING:
    from collections.abc import Sequence

    from midfill.inference.models.diffusion_gemma.markers import Markers
    from midfill.inference.models.hub_tokenizer import HubTokenizer


class Form(Enum):
    """What form an answer has."""

    FINISHED = auto()
    UNFINISHED = auto()
    """Neither the tag nor the end of the turn has come yet."""
    REFUSED = auto()
    """It is not what was asked for."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer as far as it goes.

    Attributes:
        form: which it has.
        text: the hole's; of a refused answer what came before the fault, for nobody to use.
        tokens: how many of the answer's tokens the text takes.
    """

    form: Form
    text: str
    tokens: int


def read_answer(tokenizer: HubTokenizer, markers: Markers, ids: Sequence[int]) -> Answer:
    """Read what the model wrote behind the opening tag that it was given.

    Refused is an answer that ends without the closing tag, has visible text behind it, opens a tag
    of its own, or holds a marker or bytes that are no text.
    """
    end = next((at for at, token in enumerate(ids) if token in markers.endings), None)
    written = list(ids if end is None else ids[:end])
    marker = next((at for at, token in enumerate(written) if not _is_text(tokenizer, token)), None)
    text = tokenizer.decode(written[:marker])
    middle, closed, rest = text.partition(MIDDLE_END)
    tokens = tokens_spelling(tokenizer, written, middle.encode())
    if MIDDLE in middle or marker is not None or _is_broken(tokenizer, written, end is not None):
        return Answer(Form.REFUSED, middle, tokens)
    if closed:
        return Answer(Form.REFUSED if rest.strip() else Form.FINISHED, middle, tokens)
    if end is not None:
        return Answer(Form.REFUSED, middle, tokens)
    begun = _begun_tag(text)
    return Answer(Form.UNFINISHED, text[: len(text) - begun], tokens)


def _is_text(tokenizer: HubTokenizer, token: int) -> bool:
    return token < tokenizer.size and bool(tokenizer.token_bytes(token))


def _is_broken(tokenizer: HubTokenizer, ids: Sequence[int], ended: bool) -> bool:
    """Whether the bytes are no UTF-8; a last character may be half written unless they ended."""
    try:
        b"".join(map(tokenizer.token_bytes, ids)).decode()
    except UnicodeDecodeError as error:
        return ended or error.reason != "unexpected end of data"
    return False


def tokens_spelling(tokenizer: HubTokenizer, ids: Sequence[int], spelled: bytes) -> int:
    """How many of the first ``ids`` it takes to write ``spelled``."""
    left = len(spelled)
    for count, token in enumerate(ids):
        if left <= 0:
            return count
        left -= len(tokenizer.token_bytes(token)) if _is_text(tokenizer, token) else 0
    return len(ids)


def _begun_tag(text: str) -> int:
    """Characters of the closing tag that the text ends with."""
    for length in range(len(MIDDLE_END) - 1, 0, -1):
        if text.endswith(MIDDLE_END[:length]):
            return length
    return 0
