"""The language server's notes on its suggestions: it hears what happens and has it recorded."""

from __future__ import annotations

import asyncio
import secrets
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from lsprotocol import types

from midfill.lsp.acceptance.history import History
from midfill.lsp.acceptance.offer import (
    ACCEPTED,
    Circumstances,
    Latency,
    Offer,
    Source,
    Trigger,
)
from midfill.lsp.acceptance.tracker import Tracker

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from midfill.lsp.acceptance.counted import Event
    from midfill.lsp.acceptance.edit import Edit
    from midfill.lsp.acceptance.made import Made
    from midfill.lsp.snapshot import Snapshot

AFTER_CHARACTERS = 64
"""So much of the text behind a suggestion is remembered, to find its place again."""


class Journal:
    """What becomes of one window's suggestions, and how many there are.

    Everything comes from the event loop's thread. It keeps nothing while it is switched off.
    """

    def __init__(
        self,
        file: Path,
        *,
        wanted: bool,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        """
        Args:
            file: of the database.
            wanted: whether the user wants statistics.
            clock, wall_clock: in seconds; the second since the epoch.
        """
        self._file = file
        self._clock = clock
        self._wall_clock = wall_clock
        self._timer: asyncio.TimerHandle | None = None
        self._history: History | None = None
        self._tracker = Tracker(self._drop, clock)
        self.switch(wanted=wanted)

    @property
    def on(self) -> bool:
        """Whether anything is recorded."""
        return self._history is not None

    def switch(self, *, wanted: bool) -> None:
        """The user may have changed their mind; what is on its way by then is forgotten."""
        if wanted == self.on:
            return
        if self._history:
            self._history.close(wait=0.0)
        self._history = History(self._file, self._wall_clock) if wanted else None
        self._tracker = Tracker(self._history.add if self._history else self._drop, self._clock)

    def count(self, event: Event, snapshot: Snapshot, reason: str = "") -> None:
        """Something happened to a request."""
        if self._history:
            self._history.count(event, snapshot.language, reason)

    def offered(
        self,
        snapshot: Snapshot,
        made: Made,
        items: Sequence[types.InlineCompletionItem],
        seconds: float,
    ) -> list[types.InlineCompletionItem]:
        """An answer goes to the editor.

        Args:
            items: at least one.
            seconds: that it took in all.

        Returns:
            the items as they are to be sent: with a command that tells of an acceptance.
        """
        if not self.on:
            return [*items]
        offer = offer_of(snapshot, made, items, seconds, self._wall_clock())
        self._tracker.offered(offer)
        self._set_timer()
        command = types.Command("Accepted", ACCEPTED, arguments=[offer.id])
        return [_with_command(item, command) for item in items]

    def changed(self, uri: str, edits: Sequence[Edit]) -> None:
        """A document was edited."""
        self._tracker.changed(uri, edits)
        self._set_timer()

    def closed(self, uri: str) -> None:
        """A document was closed, or must not be seen any more."""
        self._tracker.closed(uri)

    def shown(self, suggestion: str) -> None:
        """A client tells that a suggestion is on the screen."""
        self._tracker.shown(suggestion)

    def accepted(self, suggestion: str) -> None:
        """A client tells that a suggestion was accepted."""
        self._tracker.accepted(suggestion)
        self._set_timer()

    def partially_accepted(self, suggestion: str, length: int) -> None:
        """A client tells how much of a suggestion was accepted, in UTF-16 units."""
        self._tracker.partially_accepted(suggestion, length)
        self._set_timer()

    def close(self) -> None:
        """End all suggestions and write what is left, which may take a second or two."""
        if self._timer:
            self._timer.cancel()
        self._tracker.close()
        if self._history:
            self._history.close()

    def _drop(self, _: object) -> None:
        """Nobody wants to know."""

    def _set_timer(self) -> None:
        due = self._tracker.due
        if due is None:
            return
        loop = asyncio.get_running_loop()
        when = loop.time() + max(due - self._clock(), 0.0)
        if self._timer and self._timer.when() <= when:
            return
        if self._timer:
            self._timer.cancel()
        self._timer = loop.call_at(when, self._tick)

    def _tick(self) -> None:
        self._timer = None
        self._tracker.tick()
        self._set_timer()


def offer_of(
    snapshot: Snapshot,
    made: Made,
    items: Sequence[types.InlineCompletionItem],
    seconds: float,
    at: float,
) -> Offer:
    """What the editor is offered, under a new id.

    Args:
        items: at least one, made for the snapshot.
        seconds: that it took in all.
        at: the time, since the epoch.
    """
    texts = tuple(text_of(item) for item in items)
    adds = texts[0][len(snapshot.selected) :]
    return Offer(
        secrets.token_hex(8),
        snapshot.uri,
        snapshot.version,
        snapshot.start,
        snapshot.text[snapshot.start : snapshot.end],
        texts,
        Circumstances(
            at,
            snapshot.language,
            Trigger.BY_HAND if snapshot.invoked else Trigger.AUTOMATIC,
            made.source,
            made.final.confidence,
            adds.count("\n") + 1,
            len(adds),
            latency_of(made, seconds),
        ),
        selected=snapshot.selected,
        after=snapshot.text[snapshot.end : snapshot.end + AFTER_CHARACTERS],
    )


def latency_of(made: Made, seconds: float) -> Latency:
    """How long a suggestion took; what was remembered took no stage but the whole."""
    whole = Latency(total=1e3 * seconds)
    if made.source is Source.MEMORY:
        return whole
    engine = made.final.ms
    return replace(
        whole,
        wait=1e3 * made.wait,
        engine=1e3 * made.engine,
        encode=engine.encode,
        denoise=engine.denoise,
    )


def text_of(item: types.InlineCompletionItem) -> str:
    """What an item inserts."""
    text = item.insert_text
    return text if isinstance(text, str) else text.value


def _with_command(
    item: types.InlineCompletionItem, command: types.Command
) -> types.InlineCompletionItem:
    return types.InlineCompletionItem(item.insert_text, item.filter_text, item.range, command)
