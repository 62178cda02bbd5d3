"""From what all sources offer to what the model reads: ranked, none twice, within a budget."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from midfill.lsp.context.snippet import Stability
from midfill.lsp.context.tokens import (
    CHARACTERS_PER_TOKEN,
    FRAME_TOKENS,
    characters_in,
    estimated_tokens,
)
from midfill.lsp.context.words import similarity, words_of
from midfill.lsp.text_positions import has_surrogate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence, Set

    from midfill.inference.wire import ContextFile
    from midfill.lsp.context.snippet import Snippet

SAME = 0.9
"""Pieces that are more alike say the same."""

REPEATED = 0.5
"""What is more like the text around the cursor, the model would only repeat."""

FEWEST_LINES = 3
"""A piece that does not fit is cut at a line's end, but not shorter than this."""


def assemble(
    snippets: Iterable[Snippet],
    budget_tokens: int,
    near: Set[str] = frozenset(),
    characters_per_token: float = CHARACTERS_PER_TOKEN,
) -> tuple[ContextFile, ...]:
    """What the model is to read of what is on offer.

    Args:
        snippets: in any order.
        budget_tokens: for all of it, headers included; estimated.
        near: the words around the cursor.
        characters_per_token: what the estimate goes by.
    """
    return context_files(chosen(snippets, budget_tokens, near, characters_per_token))


def chosen(
    snippets: Iterable[Snippet],
    budget_tokens: int,
    near: Set[str] = frozenset(),
    characters_per_token: float = CHARACTERS_PER_TOKEN,
    holds: Callable[[Snippet], bool] = lambda snippet: True,
) -> tuple[Snippet, ...]:
    """The best pieces that fit, stable ones first; see `assemble`.

    Args:
        holds: whether a piece may be taken; asked of those alone that would be.
    """
    taken: list[Snippet] = []
    left = budget_tokens
    for snippet in sorted(snippets, key=_rank):
        fitting = _cut(snippet, left, characters_per_token)
        if fitting is None or not fitting.text.strip() or has_surrogate(fitting.text):
            continue
        same = any(similarity(fitting.words, other.words) > SAME for other in taken)
        if not same and not _repeated(snippet, fitting, near) and holds(snippet):
            taken.append(fitting)
            left -= cost(fitting, characters_per_token)
    return tuple(sorted(taken, key=_place))


def context_files(snippets: Sequence[Snippet]) -> tuple[ContextFile, ...]:
    """Pieces in the form in which the engine takes them."""
    from midfill.inference.wire import ContextFile

    return tuple(ContextFile(path=snippet.origin.shown, text=snippet.text) for snippet in snippets)


def cost(snippet: Snippet, characters_per_token: float = CHARACTERS_PER_TOKEN) -> int:
    """Tokens that a piece takes with its path, about."""
    header = estimated_tokens(snippet.origin.shown + "\n", characters_per_token) + FRAME_TOKENS
    return header + estimated_tokens(snippet.text, characters_per_token)


def _repeated(snippet: Snippet, fitting: Snippet, near: Set[str]) -> bool:
    """Whether the text around the cursor says the same as a piece, or what fits of it.

    What defines the names that are used there is meant to have words in common with it.
    """
    if snippet.stability is Stability.DEFINITIONS:
        return False
    return max(similarity(piece.words, near) for piece in (snippet, fitting)) > REPEATED


def _rank(snippet: Snippet) -> tuple[float, int, str, str]:
    return -snippet.score, snippet.stability, snippet.origin.shown, snippet.text


def _place(snippet: Snippet) -> tuple[int, str, str]:
    # Not by score: a piece that is a little better now would push the others out of the cache.
    return snippet.stability, snippet.origin.shown, snippet.text


def _cut(snippet: Snippet, tokens: int, characters_per_token: float) -> Snippet | None:
    """As much of a piece as fits; None if that is too little to make sense of."""
    if cost(snippet, characters_per_token) <= tokens:
        return snippet
    frame = cost(replace(snippet, text=""), characters_per_token)
    room = characters_in(tokens - frame, characters_per_token)
    end = snippet.text.rfind("\n", 0, room + 1) if room > 0 else -1
    text = snippet.text[:end].rstrip() if end > 0 else ""
    if text.count("\n") + 1 < FEWEST_LINES:
        return None
    return replace(snippet, text=text, words=words_of(text))
