"""Edits of a text, in characters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from midfill.inference.text.common_stretch import common_end, common_start

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True, slots=True)
class Edit:
    """``text`` takes the place of the characters from ``start`` to ``end``.

    Both count in the text before this edit, which is the one after the edit before it.
    """

    start: int
    end: int
    text: str

    @property
    def grows_by(self) -> int:
        """So many characters the text has more than before."""
        return len(self.text) - (self.end - self.start)

    def applied_to(self, text: str) -> str:
        return text[: self.start] + self.text + text[self.end :]


def trimmed(edit: Edit, removed: str) -> Edit:
    """An edit without what it replaces by the same.

    Args:
        removed: the text that it replaces.
    """
    head = common_start(removed, edit.text)
    tail = common_end(removed, edit.text, min(len(removed), len(edit.text)) - head)
    return Edit(
        edit.start + head,
        edit.end - tail,
        edit.text[head : len(edit.text) - tail],
    )


def edit_between(old: str, new: str) -> Edit:
    """The smallest single edit that makes one text of another."""
    return trimmed(Edit(0, len(old), new), old)


def applied(edits: Iterable[Edit], text: str) -> str:
    """A text after some edits, in their order."""
    for edit in edits:
        text = edit.applied_to(text)
    return text
