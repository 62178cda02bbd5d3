"""What DiffusionGemma reads before its canvas, in the three ways to show it the suffix.

``pinned``: the prefix is begun as the model's own answer, and the canvas goes on with it; the
suffix's first tokens are held in the slots behind the hole::

    <bos><|turn>user⏎ task, other files <turn|>⏎<|turn>model⏎ no thoughts  P │ hole  S…

``prompt``: both sides stand in the question; the answer is the hole's text between tags, of which
the opening one is given::

    <bos><|turn>user⏎ task, other files, S, P <turn|>⏎<|turn>model⏎ no thoughts <middle>│ hole …

``both``: the suffix stands in the question and is pinned as well.

What changes least stands first: other files, the suffix, then the prefix. Typing appends to the end
of what is encoded, but for the few tokens behind the prefix in ``prompt``.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

from midfill.inference.models.diffusion_gemma.section_tags import section_tag
from midfill.inference.models.options import SuffixView
from midfill.inference.prefix_window import CHARACTERS_PER_TOKEN, prefix_window_start
from midfill.inference.wire_prompt import PromptPart, PromptPiece, ShownPrompt

if TYPE_CHECKING:
    from collections.abc import Sequence

    from midfill.inference.models.diffusion_gemma.markers import Markers
    from midfill.inference.models.hub_tokenizer import HubTokenizer
    from midfill.inference.wire import ContextFile

MIDDLE, MIDDLE_END = "<middle>", "</middle>"
"""Around an answer. Plain text: the model has no tokens for it."""

TASKS = {
    SuffixView.PINNED: "Write out a source file from the project, exactly and with nothing else.",
    SuffixView.PROMPT: (
        "A piece of a source file is missing. You are shown the text behind it, then the text in "
        f"front of it. Write the missing piece between {MIDDLE} and {MIDDLE_END}: only what is "
        "missing, exactly, with its spaces and line breaks, and nothing else."
    ),
    SuffixView.BOTH: (
        "Write out a source file, exactly and with nothing else. Its end is given; write what "
        "stands before it so that it leads up to it."
    ),
}

PINNED_SHARE = 2
"""At most one in so many slots of a canvas is pinned."""


@dataclass(frozen=True, slots=True)
class Windows:
    """How many tokens of each part the model reads."""

    prefix: int
    suffix: int
    context: int


@dataclass(frozen=True, slots=True)
class Piece:
    """A run of tokens, and what it is."""

    part: PromptPart
    tokens: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Prompt:
    """What stands before the hole, and what is pinned behind it.

    Attributes:
        pieces: before the canvas.
        pinned: in the canvas, right behind the free slots.
    """

    pieces: tuple[Piece, ...]
    pinned: tuple[int, ...]

    @property
    def tokens(self) -> list[int]:
        """The ids before the canvas."""
        return list(chain.from_iterable(piece.tokens for piece in self.pieces))


def build_prompt(
    tokenizer: HubTokenizer,
    markers: Markers,
    view: SuffixView,
    prefix: str,
    suffix: str,
    context: Sequence[ContextFile],
    windows: Windows,
    most_pinned: int,
) -> Prompt:
    """Lay out the prompt of one hole.

    Args:
        tokenizer: the model's.
        markers: its.
        view: how the suffix is seen.
        prefix: text before the hole, ``\\n`` line breaks.
        suffix: text behind the hole.
        context: pieces of other files, most stable first.
        windows: token budgets.
        most_pinned: tokens of the suffix that may be pinned.
    """
    start = prefix_window_start(tokenizer, prefix, windows.prefix)
    before = Piece(PromptPart.PREFIX, tuple(tokenizer.encode(prefix[start:])))
    seen = tokenizer.encode(suffix[: windows.suffix * CHARACTERS_PER_TOKEN])[: windows.suffix]
    behind = Piece(PromptPart.SUFFIX, tuple(seen))

    def said(text: str) -> Piece:
        return Piece(PromptPart.MARKER, tuple(tokenizer.encode(text)))

    def mark(*ids: int) -> Piece:
        return Piece(PromptPart.MARKER, ids)

    question = [said(f"user\n{TASKS[view]}\n"), *_context_pieces(tokenizer, context, windows)]
    if view is not SuffixView.PINNED:
        tag = section_tag("behind", suffix)
        question += [said(f"\nThe text behind:\n<{tag}>"), behind, said(f"</{tag}>\n")]
    answer = [before]
    if view is SuffixView.PROMPT:
        tag = section_tag("front", prefix)
        question += [said(f"\nThe text in front:\n<{tag}>"), before, said(f"</{tag}>\n")]
        answer = [said(MIDDLE)]
    pieces = [
        mark(markers.begin, markers.turn),
        *question,
        mark(markers.turn_end),
        said("\n"),
        mark(markers.turn),
        said("model\n"),
        # An empty thought: without one, the model begins to think inside the hole.
        mark(markers.channel),
        said("thought\n"),
        mark(markers.channel_end),
        *answer,
    ]
    pinned: tuple[int, ...] = ()
    if view is not SuffixView.PROMPT:
        whole = tokenizer.decode(behind.tokens) == suffix
        end = (markers.turn_end,) if whole else ()
        pinned = (*behind.tokens, *end)[:most_pinned]
    return Prompt(tuple(piece for piece in pieces if piece.tokens), pinned)


def shown_prompt(
    tokenizer: HubTokenizer, markers: Markers, prompt: Prompt, model: str
) -> ShownPrompt:
    """Every token of a prompt as people read it, pinned ones last.

    Args:
        tokenizer: the one that it was made with.
        markers: its.
        prompt: to be shown.
        model: its name.
    """
    names = {token: name.encode() for token, name in markers.names.items()}
    pieces = [*prompt.pieces, Piece(PromptPart.SUFFIX, prompt.pinned)]
    return ShownPrompt(
        model=model,
        pieces=tuple(
            PromptPiece(
                part=piece.part,
                text=b"".join(
                    names.get(token) or tokenizer.token_bytes(token) for token in piece.tokens
                ).decode("utf-8", "backslashreplace"),
                tokens=len(piece.tokens),
            )
            for piece in pieces
            if piece.tokens
        ),
    )


def _context_pieces(
    tokenizer: HubTokenizer, context: Sequence[ContextFile], windows: Windows
) -> list[Piece]:
    """Other files, each behind its path, as far as the budget goes."""
    pieces: list[Piece] = []
    left = windows.context
    for file in context:
        text = f"\n{file.path}:\n{file.text[: left * CHARACTERS_PER_TOKEN]}\n"
        tokens = tuple(tokenizer.encode(text)[:left])
        pieces.append(Piece(PromptPart.CONTEXT, tokens))
        left -= len(tokens)
        if left <= 0:
            break
    return pieces
