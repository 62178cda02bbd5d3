"""From the text around a hole to the token ids that the model reads before its canvas.

The suffix stands first and the prefix last, where the middle begins, as if the model had written it
itself::

    [<|repo_name|>… <|file_sep|>path⏎text …] <|fim_prefix|><|fim_suffix|> S <|fim_middle|> P

So typing appends to the end, and everything before stays cached: the suffix window until the cursor
moves away, the prefix window because its start moves only in large steps at line boundaries.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from midfill.inference.healing import partial_piece

if TYPE_CHECKING:
    from collections.abc import Sequence

    from midfill.inference.tokenizer import Tokenizer
    from midfill.inference.wire import ContextFile

CHARACTERS_PER_TOKEN = 8
"""More than source code has on average; how far to look for a window's tokens."""

ANCHOR_STEPS = (1024, 128)
"""Characters between places where the prefix window may start, tried in this order."""

TYPED_BEFORE_MOVING = 128
"""Tokens; a prefix window that has room for more stays where it is for a while yet."""


@dataclass(frozen=True, slots=True)
class Windows:
    """How many tokens of each part the model reads."""

    prefix: int = 1024
    suffix: int = 64
    context: int = 1024


@dataclass(frozen=True, slots=True)
class Prompt:
    """What the model reads, and what its first tokens have to spell.

    Attributes:
        tokens: the ids before the canvas.
        owed: the partial token taken back from the end of the prefix, UTF-8.
    """

    tokens: list[int]
    owed: bytes


def build_prompt(
    tokenizer: Tokenizer,
    prefix: str,
    suffix: str,
    context: Sequence[ContextFile] = (),
    windows: Windows | None = None,
) -> Prompt:
    """Lay out the prompt of one hole.

    Args:
        tokenizer: the model's.
        prefix: text before the hole, from a line's start, ``\\n`` line breaks.
        suffix: text after the hole.
        context: pieces of other files, most stable first.
        windows: token budgets.
    """
    windows = windows or Windows()
    piece = partial_piece(tokenizer, prefix)
    whole = prefix[: len(prefix) - len(piece)]
    start = prefix_window_start(tokenizer, whole, windows.prefix)
    return Prompt(
        _laid_out(tokenizer, whole[start:], suffix, context, windows),
        piece.encode(),
    )


def prompt_once_moved(
    tokenizer: Tokenizer,
    prefix: str,
    suffix: str,
    context: Sequence[ContextFile] = (),
    windows: Windows | None = None,
) -> list[int] | None:
    """How the prompt begins once typing on at the hole has moved the prefix window's start.

    Args:
        tokenizer, prefix, suffix, context, windows: as of `build_prompt`.

    Returns:
        Token ids; None while the window has room for more than `TYPED_BEFORE_MOVING`.
    """
    windows = windows or Windows()
    whole = prefix[: len(prefix) - len(partial_piece(tokenizer, prefix))]
    start = prefix_window_start(tokenizer, whole, windows.prefix)
    later = prefix_window_start(tokenizer, whole, windows.prefix - TYPED_BEFORE_MOVING)
    if later <= start:
        return None
    return _laid_out(tokenizer, whole[later:], suffix, context, windows)


def _laid_out(
    tokenizer: Tokenizer,
    prefix: str,
    suffix: str,
    context: Sequence[ContextFile],
    windows: Windows,
) -> list[int]:
    return [
        *_repository_tokens(tokenizer, context, windows.context),
        tokenizer.fim_prefix,
        tokenizer.fim_suffix,
        *_suffix_tokens(tokenizer, suffix, windows.suffix),
        tokenizer.fim_middle,
        *tokenizer.encode(prefix),
    ]


class OffsetTokenizer(Protocol):
    """A tokenizer that says which characters each token stands for."""

    def encode_with_offsets(self, text: str) -> tuple[list[int], list[tuple[int, int]]]: ...


def prefix_window_start(tokenizer: OffsetTokenizer, prefix: str, budget: int) -> int:
    """Where the prefix window starts, as an offset into ``prefix``.

    The earliest anchor that leaves at most ``budget`` tokens. Anchors stand about every thousand
    characters, at line starts where there are any; where text is so dense in tokens that such a
    step is half the window, about every hundred. They do not depend on where the prefix ends, so
    typing leaves the window's start where it is until a whole step no longer fits.
    """
    earliest = max(0, len(prefix) - budget * CHARACTERS_PER_TOKEN)
    ids, spans = tokenizer.encode_with_offsets(prefix[earliest:])
    if earliest == 0 and len(ids) <= budget:
        return 0
    # The first offset behind which no more than the budget's tokens begin.
    affordable = earliest + (spans[-budget][0] if len(ids) > budget else 0)
    for step in ANCHOR_STEPS:
        anchor = _anchor(prefix, affordable, step)
        if 2 * (len(prefix) - anchor) >= len(prefix) - affordable:
            return anchor
    return affordable


def _anchor(prefix: str, earliest: int, step: int) -> int:
    """The first anchor at or behind ``earliest``."""
    anchor = earliest // step * step
    while True:
        line_start = prefix.find("\n", anchor - 1, anchor + step // 2) + 1 if anchor else 0
        if (line_start or anchor) >= earliest:
            return line_start or anchor
        anchor += step


def _suffix_tokens(tokenizer: Tokenizer, suffix: str, budget: int) -> list[int]:
    return tokenizer.encode(suffix[: budget * CHARACTERS_PER_TOKEN])[:budget]


def _repository_tokens(
    tokenizer: Tokenizer, context: Sequence[ContextFile], budget: int
) -> list[int]:
    if not context:
        return []
    tokens = [tokenizer.repo_name, *tokenizer.encode("repository\n")]
    for file in context:
        text = tokenizer.encode(f"{file.path}\n{file.text}"[: budget * CHARACTERS_PER_TOKEN])
        tokens += [tokenizer.file_sep, *text[: budget - len(tokens)], *tokenizer.encode("\n")]
        if len(tokens) >= budget:
            break
    return tokens
