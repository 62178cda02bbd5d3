"""What was copied last, for users who switch that on.

A server cannot see the clipboard: a client has to send it. It may hold anything, a password for
instance, so nothing of it is kept unless it is wanted, and that not for long.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from midfill.lsp.context.snippet import Origin, Snippet, Stability
from midfill.lsp.context.tokens import characters_in
from midfill.lsp.context.words import words_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from midfill.lsp.context.view import View

SECONDS = 600.0
"""So long it is kept in memory."""

LONGEST = 8192
"""Characters; whoever copies more moves a file, and does not mean to use it here."""

SCORE = 0.45

PATH = "clipboard"


def read_copy(params: object) -> tuple[str, str] | None:
    """The text that a client says was copied, and the URI of the document that it is from.

    Returns:
        None if the client told something else; an empty URI if it did not tell one.
    """
    text, uri = getattr(params, "text", None), getattr(params, "uri", None)
    if not isinstance(text, str):
        return None
    return text, uri if isinstance(uri, str) else ""


class CopiedText:
    """The text copied last.

    Args:
        tokens: a longer text is not on offer.
        wanted: whether the user has switched it on.
        clock: in seconds.
    """

    name = "clipboard"

    def __init__(
        self, tokens: int, *, wanted: bool = False, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.tokens = tokens
        self._wanted = wanted
        self._clock = clock
        self._snippet: Snippet | None = None
        self._at = 0.0

    def copied(self, text: str, file: str = "") -> None:
        """Something was copied, from a file if that is known; the text before is dropped."""
        self._snippet = None
        text = text.strip("\r\n").rstrip()
        if not self._wanted or not text.strip() or len(text) > LONGEST:
            return
        self._at = self._clock()
        self._snippet = Snippet(
            Origin(file, PATH),
            text=text,
            score=SCORE,
            stability=Stability.COPIED,
            words=words_of(text),
            made_of=frozenset(),
        )

    def switch(self, *, wanted: bool) -> None:
        """The user has changed their mind; what is not wanted is dropped at once."""
        self._wanted = wanted
        if not wanted:
            self._snippet = None

    def forget(self, file: str) -> None:
        """A file must not be seen any more: neither may what was copied from it."""
        if self._snippet and self._snippet.origin.file == file:
            self._snippet = None

    def holds(self, snippet: Snippet) -> bool:
        """Whether a piece is still what was copied last, and not too old."""
        self._expire()
        return self._snippet is not None and self._snippet.text == snippet.text

    def snippets(self, at: View) -> Sequence[Snippet]:
        self._expire()
        if self._snippet is None or len(self._snippet.text) > characters_in(self.tokens):
            return ()
        return (self._snippet,)

    def _expire(self) -> None:
        if self._snippet and self._clock() - self._at > SECONDS:
            self._snippet = None
