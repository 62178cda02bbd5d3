"""Places that were edited lately, elsewhere than at the cursor, with their text as it is now."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from midfill.lsp.context.chunks import too_wide
from midfill.lsp.context.snippet import Snippet, Stability, snippet_of_lines
from midfill.lsp.context.tokens import characters_in
from midfill.lsp.context.words import similarity

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from midfill.lsp.context.open_texts import OpenTexts
    from midfill.lsp.context.snippet import Origin
    from midfill.lsp.context.view import View

PLACES = 16
"""So many are remembered."""

OFFERED = 6
"""So many of them are on offer, the latest first."""

TOGETHER = 8
"""Lines between two edits that count as one."""

LONGEST = 24
"""Lines of one place, at most: of a longer one, those edited last."""

AROUND = 3
"""Lines shown above and below what was edited."""

FRESHEST, FADING = 0.5, 0.8
"""What being the latest edit is worth, and by how much each older one is worth less."""


@dataclass(frozen=True, slots=True)
class LineChange:
    """A change of a document.

    Attributes:
        first, last: lines that it touched, from 0, as they were counted before it.
        lines: so many they are now, at least one.
    """

    first: int
    last: int
    lines: int


@dataclass(frozen=True, slots=True)
class _Edited:
    """Lines ``first`` to ``last`` of a document, as they are counted now."""

    uri: str
    first: int
    last: int


class RecentEdits:
    """Remembers where edits were made, not what they were.

    Args:
        texts: the open documents.
        origin_of: where a document lies.
        tokens: for all that is on offer, about.
    """

    name = "recent edits"

    def __init__(self, texts: OpenTexts, origin_of: Callable[[str], Origin], tokens: int) -> None:
        self._texts = texts
        self._origin_of = origin_of
        self.tokens = tokens
        self._ring: deque[_Edited] = deque(maxlen=PLACES)  # the latest last

    def changed(self, uri: str, change: LineChange) -> None:
        """A document was edited; places below the edit move with their text."""
        edited = _Edited(uri, change.first, change.first + change.lines - 1)
        moved = change.lines - (change.last - change.first + 1)
        others = []
        for place in self._ring:
            if place.uri != uri or place.last < change.first - TOGETHER:
                others.append(place)
            elif place.first > change.last + TOGETHER:
                others.append(replace(place, first=place.first + moved, last=place.last + moved))
            else:
                end = place.last + moved if place.last > change.last else edited.last
                edited = replace(
                    edited, first=min(edited.first, place.first), last=max(edited.last, end)
                )
        self._ring = deque([*others, _shortened(edited, change)], PLACES)

    def forget(self, uri: str) -> None:
        """A document was closed or replaced as a whole, or must not be seen any more."""
        self._ring = deque((place for place in self._ring if place.uri != uri), PLACES)

    def snippets(self, at: View) -> Sequence[Snippet]:
        found: list[Snippet] = []
        room = characters_in(self.tokens)
        for place in reversed(self._ring):
            lines = self._shown(place, at, room)
            if lines:
                age = len(found)
                snippet = snippet_of_lines(self._origin_of(place.uri), lines, 0.0, Stability.EDITED)
                score = FRESHEST * FADING**age + similarity(snippet.words, at.near) / 2
                found.append(replace(snippet, score=score))
                room -= len(snippet.text)
            if len(found) == OFFERED or room <= 0:
                break
        return found

    def _shown(self, place: _Edited, at: View, room: int) -> Sequence[str]:
        """The lines of a place with some around it; none if they are before the model anyway."""
        document = self._texts.lines_of(place.uri)
        if document is None or place.first >= len(document):
            return ()
        first = max(place.first - AROUND, 0)
        behind = min(place.last + AROUND + 1, len(document))
        if place.uri == at.uri and at.read.start < behind and first < at.read.stop:
            return ()
        lines = list(document[first:behind])
        if too_wide(lines) or not any(line.strip() for line in lines):
            return ()
        while sum(map(len, lines)) > room and len(lines) > 1:
            lines.pop()
        return lines if sum(map(len, lines)) <= room else ()


def _shortened(place: _Edited, change: LineChange) -> _Edited:
    """A place of bearable length, around the change that made it too long."""
    if place.last - place.first < LONGEST:
        return place
    first = max(min(change.first, place.last - LONGEST + 1), place.first)
    return replace(place, first=first, last=first + LONGEST - 1)
