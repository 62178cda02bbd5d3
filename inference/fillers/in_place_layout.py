"""Laying out the text around a hole for a model that sees both sides of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from midfill.inference.fillers.hole_text import HoleText, hole_text
from midfill.inference.in_place.edges import Edges, cut_at_edges
from midfill.inference.in_place.lengths.choice import length_control
from midfill.inference.in_place.lengths.end_of_middle import EndOfMiddle
from midfill.inference.models.options import Length
from midfill.inference.prefix_window import CHARACTERS_PER_TOKEN, prefix_window_start
from midfill.inference.wire_prompt import PromptPart, PromptPiece, ShownPrompt

if TYPE_CHECKING:
    from collections.abc import Sequence

    from midfill.inference.models.absorbing.checkpoint import AbsorbingCheckpoint
    from midfill.inference.models.options import Options
    from midfill.inference.wire import InfillRequest

AROUND = 2
"""Tokens in front of the prefix and behind the suffix: the beginning and the end of a text."""

MOST_CONTEXT = 1024
"""Tokens of other files at most."""


@dataclass(frozen=True, slots=True)
class LaidOut:
    """What the model reads on both sides, and what the edges of the hole have to spell."""

    text: HoleText
    context: tuple[int, ...]
    prefix: tuple[int, ...]
    edges: Edges
    suffix: tuple[int, ...]

    @property
    def tokens(self) -> int:
        """How many the model reads."""
        return len(self.context) + len(self.prefix) + len(self.suffix)


def lay_out(request: InfillRequest, checkpoint: AbsorbingCheckpoint, options: Options) -> LaidOut:
    """Cut a request's text at its hole, and to the model's windows.

    Args:
        request: what is to be filled.
        checkpoint: whose tokens they are.
        options: how wide the windows and the canvas are.

    Raises:
        InvalidText: the text has no UTF-8 form.
    """
    text, tokenizer, tokens = hole_text(request), checkpoint.tokenizer, checkpoint.tokens
    prefix, edges, suffix = cut_at_edges(
        tokenizer,
        tokenizer.ends,
        text.prefix,
        text.suffix,
        right=_heals_right_edge(checkpoint, options),
    )
    budget = checkpoint.longest - options.canvas - AROUND
    for_suffix = min(options.suffix_tokens, budget // 2)
    for_prefix = min(options.prefix_tokens, budget - for_suffix)
    near = suffix[: for_suffix * CHARACTERS_PER_TOKEN]
    behind = tokenizer.encode(near)
    if len(near) == len(suffix) and len(behind) <= for_suffix and _reads_end(checkpoint):
        behind.append(tokens.end)
    elif len(behind) > for_suffix:
        del behind[for_suffix:]
    start = prefix_window_start(tokenizer, prefix, for_prefix) if for_prefix else len(prefix)
    before = tokenizer.encode(prefix[start:])
    room = max(0, min(MOST_CONTEXT, budget - len(behind) - len(before)))
    others = "".join(f"{file.text}\n\n" for file in request.context)
    context = tokenizer.encode(others[: room * CHARACTERS_PER_TOKEN])[:room]
    bos = [] if tokens.bos is None else [tokens.bos]
    return LaidOut(text, (*bos, *context), tuple(before), edges, tuple(behind))


def most_tokens(checkpoint: AbsorbingCheckpoint, options: Options) -> int:
    """Tokens of the longest text that `lay_out` makes, the canvas included."""
    windows = MOST_CONTEXT + options.prefix_tokens + options.suffix_tokens
    return min(checkpoint.longest, windows + options.canvas + AROUND)


def shown(laid_out: LaidOut, checkpoint: AbsorbingCheckpoint, model: str) -> ShownPrompt:
    """The text around a hole as the model is given it.

    Args:
        laid_out: that text.
        checkpoint: whose tokens they are.
        model: the model's name.
    """
    pieces = (
        (PromptPart.CONTEXT, laid_out.context),
        (PromptPart.PREFIX, laid_out.prefix),
        (PromptPart.SUFFIX, laid_out.suffix),
    )
    vocabulary = checkpoint.tokenizer.vocabulary_bytes

    def spelled(tokens: Sequence[int]) -> str:
        return b"".join(vocabulary[token] for token in tokens).decode("utf-8", "backslashreplace")

    return ShownPrompt(
        model=model,
        pieces=tuple(
            PromptPiece(part=part, text=text, tokens=len(tokens))
            for part, tokens in pieces
            if (text := spelled(tokens))
        ),
        owed=laid_out.edges.left.decode(),
        owed_tokens=1 if laid_out.edges.left else 0,
        owed_behind=laid_out.edges.right.decode(),
    )


def _reads_end(checkpoint: AbsorbingCheckpoint) -> bool:
    """Whether the model was taught with an end token behind the suffix, as DreamOn was."""
    return checkpoint.length is Length.EXPAND_DELETE


def _heals_right_edge(checkpoint: AbsorbingCheckpoint, options: Options) -> bool:
    """Not where slots come and go, or the tail is spent: the last one has no fixed place."""
    control = length_control(options, checkpoint.length, checkpoint.tokens)
    return not control.varies and not isinstance(control, EndOfMiddle)
