"""From an editor's question to its answer, whatever the engine does meanwhile."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from contextlib import aclosing, contextmanager
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Protocol

from lsprotocol import types

from midfill.inference.errors import MidfillError
from midfill.inference.postprocess.around import Drop
from midfill.inference.text.hole_at_cursor import Hole, NoHole
from midfill.inference.wire import Draft, Final, InfillRequest, Limits, Stop
from midfill.lsp import silence
from midfill.lsp.acceptance.counted import Event
from midfill.lsp.acceptance.made import Made
from midfill.lsp.acceptance.offer import Source
from midfill.lsp.inline_completion import (
    hole_for,
    items_for,
    request_for,
    spot_of,
    worth_showing,
)
from midfill.lsp.manners import Manners, Mode
from midfill.lsp.reading_ahead import ReadingAhead
from midfill.lsp.rhythm import Rhythm, is_likely_place
from midfill.lsp.silence import Silence
from midfill.lsp.snooze import Snooze
from midfill.lsp.suggestion_cache import Spot, SuggestionCache, after_accepting
from midfill.lsp.superseding import NewestOnly
from midfill.lsp.worth import postprocessed

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Iterator

    from midfill.inference.wire import ContextFile, Health
    from midfill.lsp.acceptance.journal import Journal
    from midfill.lsp.snapshot import Snapshot

log = logging.getLogger(__name__)


class SuggestionSource(Protocol):
    """What fills holes: the engine, seen from here."""

    @property
    def ready(self) -> bool:
        """Whether a fill can be had at once."""

    @property
    def health(self) -> Health | None:
        """What is known of its state."""

    def infill(self, request: InfillRequest) -> AsyncGenerator[Draft | Final, None]:
        """Drafts, then the final fill; closing the generator cancels the work.

        Raises:
            MidfillError: there is no fill to be had.
        """

    def ask_to_load(self) -> None:
        """Get ready, in the background."""


class Suggestions:
    """Answers inline completion requests, one at a time for each document.

    Attributes:
        counts: how many requests came, and what became of them.
        snooze: for quiet.
    """

    def __init__(
        self,
        source: SuggestionSource,
        still_holds: Callable[[Snapshot], bool],
        manners: Callable[[Snapshot], Manners] = lambda snapshot: Manners(),
        on_thinking: Callable[[bool], None] = lambda thinking: None,
        context: Callable[[Snapshot], tuple[ContextFile, ...]] = lambda snapshot: (),
        journal: Journal | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """
        Args:
            source: of fills.
            still_holds: tells whether a document has not changed since.
            manners: what the settings say for a document.
            on_thinking: hears when the engine begins to be asked, and when it is not any more.
            context: gives what of other files a request has.
            journal: hears what becomes of requests and suggestions.
            clock: in seconds.
        """
        self._source = source
        self._still_holds = still_holds
        self._manners = manners
        self._on_thinking = on_thinking
        self._context = context
        self._journal = journal
        self._clock = clock
        self._running = NewestOnly()
        self._cache = SuggestionCache(clock)
        self._rhythm = Rhythm(clock)
        self._ahead = ReadingAhead()
        self._silences: dict[str, Silence] = {}
        self._engine_requests = 0
        self._last_failure = ""
        self.counts: Counter[str] = Counter()
        self.snooze = Snooze(clock)

    async def answer(self, snapshot: Snapshot) -> types.InlineCompletionList | None:
        """The items for a snapshot; None if it is out of date before they are there.

        Never fails: without a fill there are no items, and `why` tells the reason.

        Raises:
            CancelledError: the client cancelled its request.
        """
        self._count(Event.ASKED, snapshot)
        answer = await self._running.run(snapshot.uri, self._suggest(snapshot))
        if isinstance(answer, Silence):
            return self._nothing(snapshot, answer)
        if answer is None:
            self._note(
                snapshot, silence.SUPERSEDED if self._still_holds(snapshot) else silence.OUTDATED
            )
            return None
        self._count(Event.SHOWN, snapshot)
        if self._still_holds(snapshot):
            self._silences[snapshot.uri] = silence.SHOWN
        return answer

    def broke(self, snapshot: Snapshot) -> None:
        """Answering for a snapshot failed in a way that nobody has thought of."""
        self._note(snapshot, silence.BROKEN)

    def typed(self, uri: str) -> None:
        """The document has changed: nobody waits for the suggestion that is being made."""
        self._rhythm.key()
        self._running.stop(uri)

    def stop(self, uri: str) -> None:
        """The document is closed, or must not be seen any more."""
        self._running.stop(uri)
        self._ahead.stop(uri)
        self._cache.forget(uri)
        self._silences.pop(uri, None)

    def why(self, uri: str, manners: Manners) -> Silence:
        """Why nothing was suggested the last time in a document.

        Args:
            uri: of the document.
            manners: that hold for it, which may be the reason why nothing has been asked for.
        """
        return self._silences.get(uri) or self._unwanted(manners) or silence.NEVER_ASKED

    async def _suggest(self, snapshot: Snapshot) -> types.InlineCompletionList | Silence | None:
        began = self._clock()
        manners = self._manners(snapshot)
        if (reason := self._unwanted(manners)) and not (manners.enabled and snapshot.invoked):
            return reason
        spot = spot_of(snapshot)
        hole = hole_for(snapshot, spot, manners.wishes)
        if isinstance(hole, NoHole):
            return silence.no_place(hole.reason)
        if snapshot.range.start.line != snapshot.range.end.line:
            return silence.SEVERAL_LINES
        known = await self._known(snapshot, spot)
        made = known or await self._asked(snapshot, spot, hole, manners)
        if isinstance(made, Silence):
            return made
        final = made.final
        if not self._still_holds(snapshot):
            return None
        items = items_for(snapshot, final)
        if not items:
            return silence.nothing_left(final.stop, Limits(tokens=manners.tokens))
        if not worth_showing(snapshot, final, manners.minimum_confidence):
            return silence.unlikely(final.confidence, manners)
        if manners.read_ahead and not snapshot.invoked:
            self._ahead.plan(
                spot.uri, partial(self._read_ahead, snapshot, spot, final.text, manners)
            )
        if self._journal:
            items = self._journal.offered(snapshot, made, items, self._clock() - began)
        return types.InlineCompletionList(items)

    def _unwanted(self, manners: Manners) -> Silence | None:
        """Why suggestions are not to come unasked; only what is disabled does not come at all."""
        if not manners.enabled:
            return silence.DISABLED
        if minutes := self.snooze.minutes_left:
            return silence.snoozed(minutes)
        return silence.MANUAL if manners.mode is Mode.MANUAL else None

    async def _known(self, snapshot: Snapshot, spot: Spot) -> Made | None:
        """What needs no engine; somebody who asks by hand wants to see more than that."""
        if snapshot.invoked:
            return None
        final = self._cache.get(spot)
        if final is None and await self._ahead.join(spot):
            final = self._cache.get(spot)
        if final is None:
            return None
        self._count(Event.KNOWN, snapshot)
        return Made(final, Source.MEMORY)

    async def _asked(
        self, snapshot: Snapshot, spot: Spot, hole: Hole, manners: Manners
    ) -> Made | Silence:
        self._ahead.stop(snapshot.uri)
        if not self._source.ready:
            self._source.ask_to_load()
            return silence.not_ready(self._source.health)
        came = self._clock()
        if not snapshot.invoked:
            await asyncio.sleep(self._wait(snapshot, manners))
        self._count(Event.ENGINE, snapshot)
        began = self._clock()
        request = self._request(snapshot, spot, hole, manners)
        with self._thinking():
            final = await self._fill(request)
        if isinstance(final, Silence):
            return final
        seconds = self._clock() - began
        self._rhythm.answered(seconds)
        worth = self._worth(final, spot, snapshot)
        if isinstance(worth, Silence):
            # A rule against what is only half written says nothing of the whole.
            return silence.timed_out(request.limits) if final.stop is Stop.DEADLINE else worth
        self._keep(spot, worth)
        return Made(worth, Source.ENGINE, wait=began - came, engine=seconds)

    @contextmanager
    def _thinking(self) -> Iterator[None]:
        """Requests of several documents may run beside each other."""
        self._engine_requests += 1
        self._on_thinking(True)
        try:
            yield
        finally:
            self._engine_requests -= 1
            self._on_thinking(self._engine_requests > 0)

    def _worth(self, final: Final, spot: Spot, snapshot: Snapshot) -> Final | Silence:
        result = postprocessed(final, spot, snapshot.language, invoked=snapshot.invoked)
        return silence.dropped(result) if isinstance(result, Drop) else result

    def _wait(self, snapshot: Snapshot, manners: Manners) -> float:
        if manners.delay is not None:
            return manners.delay
        before = snapshot.text[max(snapshot.start - 1, 0) : snapshot.start] + snapshot.selected
        return self._rhythm.wait(likely_place=is_likely_place(before))

    def _read_ahead(self, snapshot: Snapshot, spot: Spot, fill: str, manners: Manners) -> None:
        """Work out what to suggest once the shown suggestion is taken."""
        ahead = after_accepting(spot, fill)
        if not self._cache.get(ahead):
            later = replace(snapshot, after_deletion=False)
            self._ahead.begin(ahead, self._remember(ahead, later, manners))

    def _request(
        self, snapshot: Snapshot, spot: Spot, hole: Hole, manners: Manners
    ) -> InfillRequest:
        request = request_for(snapshot, spot, hole, manners.tokens)
        files = self._context(snapshot)
        return request.model_copy(update={"context": files}) if files else request

    async def _remember(self, spot: Spot, later: Snapshot, manners: Manners) -> None:
        hole = hole_for(later, spot, manners.wishes)
        if isinstance(hole, NoHole) or not self._source.ready:
            return
        final = await self._fill(self._request(later, spot, hole, manners))
        if isinstance(final, Final):
            final = self._worth(final, spot, later)
        if isinstance(final, Final):
            self._keep(spot, final)

    def _keep(self, spot: Spot, final: Final) -> None:
        """Remember a fill, unless there may be more of it when there is more time."""
        if final.stop is not Stop.DEADLINE:
            self._cache.put(spot, final)

    async def _fill(self, request: InfillRequest) -> Final | Silence:
        try:
            async with aclosing(self._source.infill(request)) as events:
                async for event in events:
                    if isinstance(event, Final):
                        self._last_failure = ""
                        return event
        except MidfillError as error:
            self._log_once(error)
            return silence.failed(str(error))
        return silence.failed("it gave no answer")

    def _nothing(self, snapshot: Snapshot, reason: Silence) -> types.InlineCompletionList:
        self._note(snapshot, reason)
        return types.InlineCompletionList([])

    def _note(self, snapshot: Snapshot, reason: Silence) -> None:
        self._count(Event.KEPT_BACK, snapshot, reason.code)
        if self._still_holds(snapshot):
            self._silences[snapshot.uri] = reason

    def _count(self, event: Event, snapshot: Snapshot, reason: str = "") -> None:
        self.counts[reason or event.value] += 1
        if self._journal:
            self._journal.count(event, snapshot, reason)

    def _log_once(self, error: MidfillError) -> None:
        """A failure that lasts is met again at every key."""
        if str(error) != self._last_failure:
            log.warning("no suggestion: %s", error)
        self._last_failure = str(error)
