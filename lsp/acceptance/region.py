"""A stretch of a document that is followed through edits, and how much of it stays."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from midfill.lsp.acceptance.edit import Edit

MOST_WORDS = 300
"""So many words and marks of a text are compared."""

_WORD_OR_MARK = re.compile(r"\w+|[^\w\s]")


@dataclass(frozen=True, slots=True)
class Region:
    """Text that was put into a document.

    Attributes:
        start: where it stands now, in characters.
        text: what stands there now.
        original: what was put there.
    """

    start: int
    text: str
    original: str

    @classmethod
    def of(cls, start: int, text: str) -> Region:
        return cls(start, text, text)

    @property
    def end(self) -> int:
        return self.start + len(self.text)

    def after(self, edit: Edit) -> Region:
        """Where it is and what it says once a document is edited.

        What is written strictly inside belongs to it, and so does what replaces a part of it; what
        is written at its borders or across them does not.
        """
        if edit.start >= self.end and not self._comes_back(edit):
            return self
        if edit.end <= self.start and not self._comes_back(edit):
            return replace(self, start=self.start + edit.grows_by)
        if self.start <= edit.start and edit.end <= self.end:
            head, tail = self.text[: edit.start - self.start], self.text[edit.end - self.start :]
            return replace(self, text=head + edit.text + tail)
        if edit.start < self.start and self.end < edit.end:
            return self._written_anew(edit)
        if edit.start < self.start:
            rest = self.text[edit.end - self.start :]
            return replace(self, start=edit.start + len(edit.text), text=rest)
        return replace(self, text=self.text[: edit.start - self.start])

    @property
    def exact(self) -> bool:
        """Whether all of it is there and nothing in between."""
        return self.text == self.original

    @property
    def kept(self) -> float:
        """The share of the visible characters put there that are left, 0 … 1.

        Words count as a whole, in their order: one that was changed is gone.
        """
        if self.exact:
            return 1.0
        original = _WORD_OR_MARK.findall(self.original)[:MOST_WORDS]
        now = _WORD_OR_MARK.findall(self.text)[: 2 * MOST_WORDS]
        blocks = SequenceMatcher(None, original, now, autojunk=False).get_matching_blocks()
        left = sum(len(word) for at, _, size in blocks for word in original[at : at + size])
        return left / max(sum(map(len, original)), 1)

    def _comes_back(self, edit: Edit) -> bool:
        """Whether it had been deleted, and this undoes it."""
        gone = not self.text and edit.start == edit.end == self.start
        return gone and edit.text == self.original

    def _written_anew(self, edit: Edit) -> Region:
        """All around it was replaced, as formatters do; it may be in what stands there now."""
        found = edit.text.find(self.text) if self.text else -1
        if found < 0:
            return replace(self, start=edit.start + len(edit.text), text="")
        return replace(self, start=edit.start + found)
