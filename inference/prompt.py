"""From the text around a hole to the token ids that the model reads before its canvas.

The suffix stands first and the prefix last, where the middle begins, as if the model had written it
itself::

    [<|repo_name|>… <|file_sep|>path⏎text …] <|fim_prefix|><|fim_suffix|> S <|fim_middle|> P

So typing appends to the end, and everything before stays cached: the suffix window until the cursor
moves away, the prefix window because its start moves only in large steps.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from midfill.inference.healing import partial_piece
from midfill.inference.prefix_window import CHARACTERS_PER_TOKEN, prefix_window_start

if TYPE_CHECKING:
    from collections.abc import Sequence

    from midfill.inference.tokenizer import Tokenizer
    from midfill.inference.wire import ContextFile

TYPED_BEFORE_MOVING = 64
"""Tokens; typing them takes some half a minute, and encoding a window anew a few seconds."""


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
) -> list[int] | None:
    """How the prompt begins once typing on at the hole has moved the prefix window's start.

    Args:
        tokenizer, prefix, suffix, context: as of `build_prompt`, in the usual windows.

    Returns:
        Token ids; None while the window has room for more than `TYPED_BEFORE_MOVING`.
    """
    windows = Windows()
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
