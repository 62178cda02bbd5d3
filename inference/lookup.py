"""What followed the last time that the same tokens stood here: a guess that costs no model.

Code repeats itself. Where the end of what is written stands elsewhere in the context too, what
followed it there is verified along with the model's own guesses. Nothing but the number of steps
depends on it.

Source: prompt lookup, in the manner of arXiv 2304.04487 (LLMA), with n-grams.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

GRAM = 3
"""Tokens that have to be the same."""

SHORT_GRAM = 2
"""Tokens that have to be the same where something is known of what follows, too."""

LONGEST_MATCH = 24
"""Tokens further back than this say no more about what follows."""

CANDIDATES = 8
"""Places looked at, the latest ones."""


class Lookup:
    """Finds where the end of a growing sequence of tokens stands elsewhere in it."""

    def __init__(self, tokens: Iterable[int]) -> None:
        self._tokens: list[int] = []
        self._ends: defaultdict[tuple[int, ...], list[int]] = defaultdict(list)
        self.append(tokens)

    def append(self, tokens: Iterable[int]) -> None:
        """Write tokens behind what is there."""
        for token in tokens:
            self._tokens.append(token)
            for gram in (SHORT_GRAM, GRAM):
                if len(self._tokens) >= gram:
                    self._ends[tuple(self._tokens[-gram:])].append(len(self._tokens))

    def continuation(
        self,
        supposed: Sequence[int],
        most: int,
        fits: Callable[[Sequence[int]], bool] | None = None,
    ) -> tuple[int, ...]:
        """What followed the longest earlier match of the end.

        Args:
            supposed: tokens that the end is to be read on with, such as guesses.
            most: tokens wanted.
            fits: whether tokens are what is known of the continuation; less of a match will do
                then.

        Returns:
            Up to ``most`` tokens; none if the end stands nowhere else.
        """
        end = [*self._tokens[-LONGEST_MATCH:], *supposed]
        places = self._ends.get(tuple(end[-(GRAM if fits is None else SHORT_GRAM) :]), [])
        # The end itself is no earlier place; with something supposed behind it, none of these is.
        earlier = [place for place in places if place < len(self._tokens)]
        if fits is not None:
            earlier = [place for place in earlier if fits(self._tokens[place : place + most])]
        earlier = earlier[-CANDIDATES:]
        if not earlier or most < 1:
            return ()
        best = max(earlier, key=lambda place: (self._match(end, place), place))
        return tuple(self._tokens[best : best + most])

    def _match(self, end: Sequence[int], place: int) -> int:
        """How many tokens before ``place`` are those of the end."""
        length = 0
        while (
            length < min(len(end), place) and end[-1 - length] == self._tokens[place - 1 - length]
        ):
            length += 1
        return length
