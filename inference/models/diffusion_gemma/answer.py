"""The strict reading of an answer: the hole's text, a closing tag, and nothing else."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING

from midfill.inference.models.diffusion_gemma.prompt import MIDDLE, MIDDLE_END

if TYPE_CHECKING:
    from collections.abc import Sequence

    from midfill.inference.models.diffusion_gemma.markers import Markers
    from midfill.inference.models.hub_tokenizer import HubTokenizer


FENCE = re.compile(r"\s*(?:```|~~~)")
"""What an answer begins with that is made for people to read, not for a file."""

FENCE_LINE = re.compile(r"^[^\w\n]*?(?:```|~~~)", re.MULTILINE)
"""The same in a file, perhaps in a comment."""

WITH_FENCES = frozenset({"markdown", "mdx", "quarto", "rmd"})
"""Languages, as editors name them, in which a fence may stand anywhere."""


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
        text: the hole's; of a refused answer what came before the fault.
        tokens: how many of the answer's tokens the text takes.
    """

    form: Form
    text: str
    tokens: int


def fences_are_text(prefix: str, language: str) -> bool:
    """Whether the text of a hole may itself begin with a code fence.

    Args:
        prefix: in front of the hole; it may be inside a fence.
        language: of the file, as editors name it.
    """
    return language in WITH_FENCES or len(FENCE_LINE.findall(prefix)) % 2 == 1


def read_answer(
    tokenizer: HubTokenizer, markers: Markers, ids: Sequence[int], *, fences: bool = False
) -> Answer:
    """Read what the model wrote behind the opening tag that it was given.

    Refused is an answer that ends without the closing tag, has visible text behind it, opens a tag
    of its own, or holds a marker or bytes that are no text. So is one that begins with a code
    fence: where in it the hole's own blanks and line breaks end, only a guess could tell.

    Args:
        tokenizer: the model's.
        markers: its.
        ids: what was written.
        fences: whether the text may begin with a code fence all the same.
    """
    end = next((at for at, token in enumerate(ids) if token in markers.endings), None)
    written = list(ids if end is None else ids[:end])
    marker = next((at for at, token in enumerate(written) if not _is_text(tokenizer, token)), None)
    text = tokenizer.decode(written[:marker])
    middle, closed, rest = text.partition(MIDDLE_END)
    if not fences and FENCE.match(middle):
        return Answer(Form.REFUSED, "", 0)
    middle, opened, _ = middle.partition(MIDDLE)
    tokens = tokens_spelling(tokenizer, written, middle.encode())
    if opened or marker is not None or _is_broken(tokenizer, written, end is not None):
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
