"""From an editor's question to its answer, whatever the engine does meanwhile."""

from __future__ import annotations

import logging
from contextlib import aclosing
from typing import TYPE_CHECKING, Protocol

from lsprotocol import types

from midfill.inference.errors import MidfillError
from midfill.inference.text.hole_at_cursor import NoHole
from midfill.inference.wire import Draft, Final, InfillRequest
from midfill.lsp.inline_completion import items_for, request_for, worth_showing
from midfill.lsp.superseding import NewestOnly

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from midfill.lsp.snapshot import Snapshot

log = logging.getLogger(__name__)


class SuggestionSource(Protocol):
    """What fills holes: the engine, seen from here."""

    @property
    def ready(self) -> bool:
        """Whether a fill can be had at once."""

    def infill(self, request: InfillRequest) -> AsyncGenerator[Draft | Final, None]:
        """Drafts, then the final fill; closing the generator cancels the work.

        Raises:
            MidfillError: there is no fill to be had.
        """

    def ask_to_load(self) -> None:
        """Get ready, in the background."""


class Suggestions:
    """Answers inline completion requests, one at a time for each document."""

    def __init__(
        self,
        source: SuggestionSource,
        still_holds: Callable[[Snapshot], bool],
        minimum_confidence: float = 0.0,
    ) -> None:
        """
        Args:
            source: of fills.
            still_holds: tells whether a document has not changed since.
            minimum_confidence: of a fill that is shown unasked, 0 … 1.
        """
        self._source = source
        self._still_holds = still_holds
        self._minimum_confidence = minimum_confidence
        self._running = NewestOnly()
        self._last_failure = ""

    async def answer(self, snapshot: Snapshot) -> types.InlineCompletionList | None:
        """The items for a snapshot; None if it is out of date before they are there.

        Never fails: without a fill there are no items.

        Raises:
            CancelledError: the client cancelled its request.
        """
        return await self._running.run(snapshot.uri, self._suggest(snapshot))

    def stop(self, uri: str) -> None:
        """The document has changed or is closed: nobody waits for its suggestion any more."""
        self._running.stop(uri)

    async def _suggest(self, snapshot: Snapshot) -> types.InlineCompletionList | None:
        request = request_for(snapshot)
        if isinstance(request, NoHole):
            return types.InlineCompletionList([])
        if not self._source.ready:
            self._source.ask_to_load()
            return types.InlineCompletionList([])
        final = await self._fill(request)
        if not self._still_holds(snapshot):
            return None
        if final is None or not worth_showing(snapshot, final, self._minimum_confidence):
            return types.InlineCompletionList([])
        return types.InlineCompletionList(items_for(snapshot, final))

    async def _fill(self, request: InfillRequest) -> Final | None:
        try:
            async with aclosing(self._source.infill(request)) as events:
                async for event in events:
                    if isinstance(event, Final):
                        self._last_failure = ""
                        return event
        except MidfillError as error:
            self._log_once(error)
        return None

    def _log_once(self, error: MidfillError) -> None:
        """A failure that lasts is met again at every key."""
        if str(error) != self._last_failure:
            log.warning("no suggestion: %s", error)
        self._last_failure = str(error)
