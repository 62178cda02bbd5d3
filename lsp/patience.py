"""Who is told when to come again comes then, and not before."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from midfill.inference.errors import MidfillError

LONGEST = 300.0
"""Seconds; nobody is kept waiting for longer by a word from elsewhere."""


class Patience:
    """The last refusal that named a time."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._refusal: MidfillError | None = None
        self._until = 0.0

    @property
    def left(self) -> float:
        """Seconds until it is worth while to ask again; 0 if it is now."""
        return max(0.0, self._until - self._clock())

    def note(self, error: MidfillError) -> None:
        """Something was refused."""
        if error.retry_after is not None:
            self._refusal = error
            self._until = self._clock() + min(max(error.retry_after, 0.0), LONGEST)

    def need(self) -> None:
        """Go on only if it is time.

        Raises:
            MidfillError: the refusal once more, with what is left of its time.
        """
        if self._refusal and (left := self.left):
            again = type(self._refusal)(str(self._refusal))
            again.code, again.retry_after = self._refusal.code, left
            raise again
