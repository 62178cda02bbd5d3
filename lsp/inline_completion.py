"""From a snapshot to what the engine is asked, and from its fill to the editor's items."""

from __future__ import annotations

from hashlib import sha256
from itertools import islice
from typing import TYPE_CHECKING

from lsprotocol import types

from midfill.inference.text.hole_at_cursor import (
    ANYTHING,
    Hole,
    NoHole,
    Wishes,
    hole_at_cursor,
)
from midfill.inference.text.line_breaks import in_document, line_break_of
from midfill.inference.text.window import window_around
from midfill.inference.wire import Extent, Final, HoleSpan, InfillRequest, Limits
from midfill.lsp.suggestion_cache import Spot

if TYPE_CHECKING:
    from collections.abc import Iterable

    from midfill.lsp.snapshot import Snapshot

CHOICES = 3
"""Suggestions for somebody who asked for them by hand; one is enough while typing."""

TOKENS = 64
"""The longest suggestion unasked, unless the settings say otherwise."""


def spot_of(snapshot: Snapshot) -> Spot:
    """The place to fill, with the popup's entry in the text as if it had been chosen.

    A cell's text is that of the notebook, as one script.
    """
    if snapshot.start == snapshot.end and not (
        snapshot.selected or snapshot.above or snapshot.below
    ):
        return Spot(snapshot.uri, snapshot.text, snapshot.start, snapshot.start)
    before = snapshot.above + snapshot.text[: snapshot.start] + snapshot.selected
    after = snapshot.text[snapshot.end :] + snapshot.below
    return Spot(snapshot.uri, before + after, len(before), len(before))


def hole_for(snapshot: Snapshot, spot: Spot, wishes: Wishes = ANYTHING) -> Hole | NoHole:
    """What is to be filled at a spot, as somebody who sees the snapshot wants it.

    Args:
        spot: `spot_of` the snapshot, or one that the cursor may get to from there.
        wishes: where suggestions are wanted unasked.
    """
    return hole_at_cursor(
        spot.text,
        spot.start,
        explicit=snapshot.invoked,
        place=snapshot.place,
        wishes=wishes,
        after_deletion=snapshot.after_deletion,
    )


def request_for(snapshot: Snapshot, spot: Spot, hole: Hole, tokens: int = TOKENS) -> InfillRequest:
    """What to ask the engine.

    Args:
        hole: at the spot.
        tokens: the longest suggestion.
    """
    window = window_around(spot.text, hole.start, hole.end)
    at = len(window.prefix)
    return InfillRequest(
        prefix=window.prefix,
        suffix=window.suffix,
        holes=()
        if hole.extent is Extent.LINE
        else (HoleSpan(start=at, end=at, extent=hole.extent),),
        document=sha256(snapshot.uri.encode(errors="replace")).hexdigest()[:16],
        language=snapshot.language,
        limits=Limits(tokens=tokens),
        n=_wanted(snapshot),
    )


def worth_showing(snapshot: Snapshot, final: Final, minimum: float) -> bool:
    """Whether a fill is likely enough to be right; whoever asked by hand gets what there is.

    Args:
        minimum: the least chance for somebody who did not ask, 0 … 1.
    """
    return snapshot.invoked or final.confidence >= minimum


def items_for(snapshot: Snapshot, final: Final) -> list[types.InlineCompletionItem]:
    """The fills as the editor inserts them: with its own line breaks, in place of its range.

    A range over several lines is one that editors refuse, so that there are no items then.
    """
    if snapshot.range.start.line != snapshot.range.end.line:
        return []
    line_break = line_break_of(snapshot.text)
    fills = (in_document(fill, line_break) for fill in _distinct(final))
    return [
        types.InlineCompletionItem(snapshot.selected + fill, range=snapshot.range)
        for fill in islice(fills, _wanted(snapshot))
    ]


def _distinct(final: Final) -> Iterable[str]:
    """The fills that show something, each once; those that differ in white space look the same."""
    seen: dict[str, str] = {}
    for fill in (final.text, *final.alternatives):
        if visible := fill.strip():
            seen.setdefault(visible, fill)
    return seen.values()


def _wanted(snapshot: Snapshot) -> int:
    return CHOICES if snapshot.invoked else 1
