"""What the engine has said, for whoever types it, comes back to it, or takes it and goes on."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from cachetools import TTLCache

from midfill.inference.text.seam import join_to_rest_of_line
from midfill.lsp.acceptance.agreement import only_closes

if TYPE_CHECKING:
    from collections.abc import Callable

    from midfill.inference.wire import Final

BEFORE_CHARACTERS = 4096
"""So many characters before a place, and"""
AFTER_CHARACTERS = 512
"""so many behind it make it the same place."""

MOST_CLOSED = 4
"""Brackets and quotes that an editor may have closed on its own."""

ENTRIES = 200
SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class Spot:
    """A place in a document where something may be filled in.

    Attributes:
        uri: the document's.
        text: all of it.
        start: where the fill begins, and
        end: what it replaces, in characters.
    """

    uri: str
    text: str
    start: int
    end: int

    @property
    def after(self) -> str:
        return self.text[self.end : self.end + AFTER_CHARACTERS]


@dataclass(frozen=True, slots=True)
class _Entry:
    start: int
    before: str
    after: str
    final: Final


class SuggestionCache:
    """Fills by document and place; those that typed text has begun count with what is left of them.

    Text elsewhere in the document does not matter: the model reads what is around the place.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._entries: TTLCache[tuple[str, str, str], _Entry] = TTLCache(ENTRIES, SECONDS, clock)

    def put(self, spot: Spot, final: Final) -> None:
        """Remember a fill; a newer one of the same place replaces it."""
        if not final.text.strip():
            return
        before = spot.text[max(spot.start - BEFORE_CHARACTERS, 0) : spot.start]
        self._entries[spot.uri, before, spot.after] = _Entry(spot.start, before, spot.after, final)

    def get(self, spot: Spot) -> Final | None:
        """What is known to follow at a place, without what has been typed of it already.

        Of several the one with the longest rest, as it says most.
        """
        rests = (
            rest
            for (uri, _, _), entry in self._entries.items()
            if uri == spot.uri and (rest := _rest(entry, spot))
        )
        return max(rests, key=lambda rest: len(rest.text), default=None)

    def forget(self, uri: str) -> None:
        """The document is closed, or must not be seen any more."""
        self._entries.expire()  # expired ones are kept, and not gone through
        for key in [key for key in self._entries if key[0] == uri]:
            del self._entries[key]


def _rest(entry: _Entry, spot: Spot) -> Final | None:
    typed_length = spot.start - entry.start
    final = entry.final
    longest = max(map(len, (final.text, *final.alternatives)))
    if not 0 <= typed_length < longest:
        return None
    begin = max(entry.start - len(entry.before), 0)
    typed = spot.text[entry.start : spot.start]
    closed = _closed_by_editor(typed, entry.after, spot.after)
    if closed is None or spot.text[begin : entry.start] != entry.before:
        return None
    agreeing = (
        text[typed_length:] for text in (final.text, *final.alternatives) if text.startswith(typed)
    )
    rests = [rest for text in agreeing if (rest := _up_to(closed, text)).strip()]
    if not rests:
        return None
    return final.model_copy(update={"text": rests[0], "alternatives": tuple(rests[1:])})


def _closed_by_editor(typed: str, expected: str, after: str) -> str | None:
    """The brackets and quotes that an editor has put behind the cursor for those typed.

    Args:
        typed: since the fill was made.
        expected: what stood behind the fill.
        after: what stands behind the cursor.

    Returns:
        none if all is as expected; None if something else has changed.
    """
    if after == expected:
        return ""
    for count in range(1, min(MOST_CLOSED, len(typed)) + 1):
        closers, rest = after[:count], after[count:]
        if not only_closes(closers, typed):
            return None
        if expected[: AFTER_CHARACTERS - count] == rest:
            return closers
    return None


def _up_to(closers: str, text: str) -> str:
    """A text without what the document has behind it by now, and all that goes on from there."""
    return (join_to_rest_of_line(text, closers) or "") if closers else text


def after_accepting(spot: Spot, text: str) -> Spot:
    """The place behind a fill once it is in the document."""
    whole = spot.text[: spot.start] + text + spot.text[spot.end :]
    end = spot.start + len(text)
    return replace(spot, text=whole, start=end, end=end)
