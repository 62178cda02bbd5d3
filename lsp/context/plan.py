"""Which context a document's requests carry: the same from key to key, as long as it is good.

Context stands before everything else in the prompt, so any change of it has all that follows read
anew; on a CPU a hundred tokens of that cost a third of a second.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from midfill.lsp.context.assembling import chosen, context_files
from midfill.lsp.context.tokens import CHARACTERS_PER_TOKEN
from midfill.lsp.context.words import similarity

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from midfill.inference.wire import ContextFile
    from midfill.lsp.context.snippet import Snippet
    from midfill.lsp.context.view import View

GOOD_ENOUGH = 0.8
"""What is there stays if it is worth so much of the best that could be there."""


class ContextPlan:
    """The context of each document.

    Args:
        candidates: all that is on offer at a place.
        holds: whether a piece is still true and may still be read.
        budget_tokens: of the context, about.
        characters_per_token: what that goes by.
    """

    def __init__(
        self,
        candidates: Callable[[View], Iterable[Snippet]],
        holds: Callable[[Snippet], bool],
        budget_tokens: int,
        characters_per_token: float = CHARACTERS_PER_TOKEN,
    ) -> None:
        self._candidates = candidates
        self._holds = holds
        self._budget = budget_tokens
        self._characters_per_token = characters_per_token
        self._chosen: dict[str, tuple[Snippet, ...]] = {}

    def files(self, at: View, *, fresh: bool = False) -> tuple[ContextFile, ...]:
        """The context for a request at a place.

        Args:
            fresh: look for something better than what the document has now. Otherwise only what
                does not hold any more is dropped.
        """
        kept = tuple(filter(self._holds, self._chosen.get(at.uri, ())))
        if self._budget > 0 and (fresh or at.uri not in self._chosen):
            kept = self._better(kept, at)
        self._chosen[at.uri] = kept
        return context_files(kept)

    def drop(self, file: str) -> None:
        """A file must not be seen any more: no document keeps a piece of it."""
        self._chosen = {
            uri: tuple(snippet for snippet in kept if snippet.origin.file != file)
            for uri, kept in self._chosen.items()
        }

    def forget(self, uri: str) -> None:
        """A document is closed: it needs no context any more."""
        self._chosen.pop(uri, None)

    def _better(self, kept: Sequence[Snippet], at: View) -> tuple[Snippet, ...]:
        offered = list(self._candidates(at))
        best = chosen(offered, self._budget, at.near, self._characters_per_token, self._holds)
        worth = sum(_worth_now(snippet, offered) for snippet in kept)
        if kept and worth >= GOOD_ENOUGH * sum(snippet.score for snippet in best):
            return tuple(kept)
        return best


def _worth_now(snippet: Snippet, offered: Iterable[Snippet]) -> float:
    """What a piece chosen earlier is worth here: as much as it has of a piece on offer."""
    return max(
        (
            other.score * similarity(snippet.words, other.words)
            for other in offered
            if other.origin == snippet.origin and other.stability == snippet.stability
        ),
        default=0.0,
    )
