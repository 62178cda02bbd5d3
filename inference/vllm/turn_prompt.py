"""The prompt of DiffusionGemma behind a server, which is asked with words.

The layouts and the words are those of the same model in memory,
`midfill.inference.models.diffusion_gemma.prompt`; here the server's tokenizer makes the ids. What
changes least stands first, so typing appends to what the server has in its cache.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from midfill.inference.models.diffusion_gemma.prompt import MIDDLE, MIDDLE_END, TASKS
from midfill.inference.models.diffusion_gemma.section_tags import section_tag
from midfill.inference.models.options import SuffixView
from midfill.inference.vllm.layout import Layout, Piece, marker
from midfill.inference.vllm.markers import TURNS
from midfill.inference.vllm.windows import first_tokens, last_tokens
from midfill.inference.wire import Stop
from midfill.inference.wire_prompt import PromptPart

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from midfill.inference.fillers.hole_text import HoleText
    from midfill.inference.vllm.layout import Budget
    from midfill.inference.vllm.patience import Patience
    from midfill.inference.vllm.server_tokenizer import ServerTokenizer
    from midfill.inference.wire import ContextFile

LEAKING = (TURNS.open, TURNS.close, TURNS.channel_open, TURNS.channel_close)
"""Markers of which an answer of another form consists; the others may well be somebody's text."""


def turn_prompt(
    tokenizer: ServerTokenizer,
    view: SuffixView,
    text: HoleText,
    context: Sequence[ContextFile],
    budget: Budget,
    patience: Patience,
) -> Layout:
    """Lay out the prompt of one hole.

    Args:
        tokenizer: the served model's, which has the markers of `TURNS`.
        view: how the suffix is seen.
        text: around the hole.
        context: pieces of other files.
        budget: token budgets.
        patience: how long to wait for the tokenizer.

    Raises:
        MidfillError, OutOfTime: as `ServerTokenizer.encode`.
    """

    def encode(text: str) -> list[int]:
        return tokenizer.encode(text, patience)

    def said(text: str) -> Piece:
        return Piece(PromptPart.MARKER, text, tuple(encode(text)))

    def mark(name: str) -> Piece:
        return marker(name, tokenizer.markers[name])

    written, ids = last_tokens(text.prefix, budget.prefix, encode)
    before = Piece(PromptPart.PREFIX, written, tuple(ids))
    question = [said(f"user\n{TASKS[view]}\n"), *_files(context, budget.context, encode)]
    if view is not SuffixView.PINNED:
        written, ids = first_tokens(text.suffix, budget.suffix, encode)
        behind = Piece(PromptPart.SUFFIX, written, tuple(ids))
        tag = section_tag("behind", text.suffix)
        question += [said(f"\nThe text behind:\n<{tag}>"), behind, said(f"</{tag}>\n")]
    answer = before
    if view is SuffixView.PROMPT:
        tag = section_tag("front", text.prefix)
        question += [said(f"\nThe text in front:\n<{tag}>"), before, said(f"</{tag}>\n")]
        answer = said(MIDDLE)
    begin = Piece(PromptPart.MARKER, "", tuple(tokenizer.begin))
    pieces = (
        begin,
        mark(TURNS.open),
        *question,
        mark(TURNS.close),
        said("\n"),
        mark(TURNS.open),
        said("model\n"),
        # an empty thought: without one, the model begins to think inside the hole
        mark(TURNS.channel_open),
        said("thought\n"),
        mark(TURNS.channel_close),
        answer,
    )
    return Layout(pieces, MIDDLE_END if view is SuffixView.PROMPT else "")


@dataclass(frozen=True, slots=True)
class Read:
    """What an answer says so far.

    Attributes:
        middle: in the hole.
        stop: how it ended; nothing as long as it goes on.
    """

    middle: str
    stop: Stop | None = None


def read_answer(answer: str, *, ended: bool) -> Read:
    """Take the middle out of an answer, strictly.

    It is the hole's text and the closing tag; behind it, nothing. An answer that ends without the
    tag is refused, and so is one with markers in it, or with tags of its own.

    Args:
        answer: all of it so far.
        ended: whether the model is done.
    """
    written = answer.removesuffix(TURNS.close)
    middle, closed, rest = written.partition(MIDDLE_END)
    markers_in_it = any(name in written for name in LEAKING)
    if markers_in_it or MIDDLE in middle or rest.strip() or (ended and not closed):
        return Read("", Stop.REFUSED)
    if closed:
        return Read(middle, Stop.END_TOKEN)
    return Read(middle[: len(middle) - _begun_tag(middle)])


def _begun_tag(text: str) -> int:
    """Characters of the closing tag that the text ends with."""
    lengths = range(len(MIDDLE_END) - 1, 0, -1)
    return next((length for length in lengths if text.endswith(MIDDLE_END[:length])), 0)


def _files(
    context: Sequence[ContextFile], budget: int, encode: Callable[[str], list[int]]
) -> list[Piece]:
    """Other files, each behind its path, as far as the budget goes."""
    pieces: list[Piece] = []
    for file in context:
        if budget <= 0:
            break
        text, ids = first_tokens(f"\n{file.path}:\n{file.text}\n", budget, encode)
        if not ids:
            break
        pieces.append(Piece(PromptPart.CONTEXT, text, tuple(ids)))
        budget -= len(ids)
    return pieces
