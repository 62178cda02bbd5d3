"""What becomes of suggestions, told from the edits that follow them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from midfill.lsp.acceptance.following import Following, Turn, follow
from midfill.lsp.acceptance.outcome import TAKEN, Ending, Outcome, key_of
from midfill.lsp.acceptance.region import Region
from midfill.lsp.text_positions import UTF_16, characters_in

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from midfill.lsp.acceptance.edit import Edit
    from midfill.lsp.acceptance.offer import Offer

KEPT_SECONDS = 30.0
"""So long after an acceptance it is looked at what is still there."""

TELLING_SECONDS = 2.0
"""So long a client may take to tell what a suggestion's end was."""

READING_SECONDS = 0.3
"""What was on the screen for a shorter time nobody has read."""

WATCHED = 64
"""So many of one document are waited for; beyond that the oldest end at once."""


@dataclass(slots=True)
class _Suggestion:
    """One suggestion; the second part is known once it has ended.

    Attributes:
        texts: the first choice under each id that it was offered with.
        told: how much of these the client says was accepted.
        there: what is at its place, if it is not what had been suggested.
    """

    offer: Offer
    since: float
    changed_at: float
    following: Following
    texts: dict[str, str]
    told: dict[str, int] = field(default_factory=dict)
    shown_at: float | None = None
    confirmed: bool = False

    ended: bool = False
    ending: Ending = Ending.IGNORED
    ended_at: float = 0.0
    due: float = 0.0
    region: Region | None = None
    there: Region | None = None


class Tracker:
    """Follows what is offered, from any client; some clients say more than their edits do.

    It hears everything in the order in which it happened, keeps the text of a suggestion only until
    its outcome is known, and has no timer: `tick` has to be called when `due` says.
    """

    def __init__(self, tell: Callable[[Outcome], None], clock: Callable[[], float]) -> None:
        """
        Args:
            tell: hears of each outcome, once.
            clock: in seconds.
        """
        self._tell = tell
        self._clock = clock
        self._live: dict[str, _Suggestion] = {}
        self._ended: dict[str, list[_Suggestion]] = {}
        self._by_id: dict[str, _Suggestion] = {}
        self._client_tells_shown = False

    @property
    def due(self) -> float | None:
        """When to call `tick`, on the clock; None if there is nothing to wait for."""
        return min((one.due for ended in self._ended.values() for one in ended), default=None)

    def offered(self, offer: Offer) -> bool:
        """A document has a suggestion; it takes the place of the one before.

        Returns:
            False if it is the one before, or what is left of it: that goes on.
        """
        now = self._clock()
        before = self._live.get(offer.uri)
        if before:
            if following := before.following.with_offer(offer):
                before.following = following
                before.texts[offer.id] = offer.texts[0]
                self._by_id[offer.id] = before
                return False
            same_place = before.following.start <= offer.start <= before.following.end
            self._end(before, Ending.IGNORED if same_place else Ending.REJECTED)
        live = _Suggestion(offer, now, now, Following.of(offer), {offer.id: offer.texts[0]})
        self._live[offer.uri] = self._by_id[offer.id] = live
        return True

    def changed(self, uri: str, edits: Sequence[Edit]) -> None:
        """A document was edited; what a client told of together comes together."""
        for ended in self._ended.get(uri, ()):
            for edit in edits:
                ended.region = ended.region and ended.region.after(edit)
                ended.there = ended.there and ended.there.after(edit)
        live = self._live.get(uri)
        if live is None:
            return
        now = self._clock()
        followed = follow(live.following, edits, now - live.changed_at)
        live.following, live.changed_at = followed.now, now
        if followed.turn is Turn.INSERTED:
            self._end(live, Ending.ACCEPTED)
        elif followed.turn is Turn.TYPED:
            self._end(live, Ending.TYPED)
        elif followed.turn is Turn.AGAINST:
            self._end(live, Ending.REJECTED, left=followed.left)

    def closed(self, uri: str) -> None:
        """A document was closed, or must not be seen any more."""
        if live := self._live.get(uri):
            self._end(live, Ending.IGNORED)
        for ended in self._ended.pop(uri, []):
            self._finish(ended, at_due=False)

    def close(self) -> None:
        """Nothing more will be heard."""
        for uri in [*self._live, *self._ended]:
            self.closed(uri)

    def tick(self) -> None:
        """Let go of what has been waited for."""
        now = self._clock()
        for uri, waiting in [*self._ended.items()]:
            for ended in [one for one in waiting if one.due <= now]:
                waiting.remove(ended)
                self._finish(ended, at_due=True)
            if not waiting:
                self._ended.pop(uri, None)

    def shown(self, suggestion: str) -> None:
        """A client tells that a suggestion is on the screen."""
        self._client_tells_shown = True
        found = self._by_id.get(suggestion)
        if found and found.shown_at is None:
            found.shown_at = self._clock()

    def accepted(self, suggestion: str) -> None:
        """A client tells that a suggestion was accepted, usually after the edit that did it."""
        found = self._by_id.get(suggestion)
        if found is None:
            return
        found.confirmed = True
        if found.ended and found.ending is not Ending.ACCEPTED:
            self._turn_out_accepted(found)

    def partially_accepted(self, suggestion: str, length: int) -> None:
        """A client tells that the first part of a suggestion was accepted.

        Args:
            length: of all that was accepted of the text offered under this id, in UTF-16 units.
        """
        found = self._by_id.get(suggestion)
        if found is None or length <= 0:
            return
        part = characters_in(found.texts[suggestion], length, UTF_16)
        found.told[suggestion] = max(part, found.told.get(suggestion, 0))
        found.following = found.following.with_taken(sum(found.told.values()))
        if found.ended and found.ending not in TAKEN:
            found.ending, found.due = Ending.PARTLY, found.ended_at + KEPT_SECONDS

    def _end(self, live: _Suggestion, ending: Ending, left: Region | None = None) -> None:
        uri, now = live.offer.uri, self._clock()
        del self._live[uri]
        following = live.following
        live.ended, live.ended_at = True, now
        live.ending = self._ending(live, ending)
        live.region = left or following.region
        live.there = Region.of(following.start, following.text) if left else None
        if live.confirmed and live.ending is not Ending.ACCEPTED:
            self._turn_out_accepted(live)
        else:
            waiting = KEPT_SECONDS if live.ending in TAKEN else TELLING_SECONDS
            live.due = now + waiting
        ended = self._ended.setdefault(uri, [])
        ended.append(live)
        if len(ended) > WATCHED:
            self._finish(ended.pop(0), at_due=False)

    def _ending(self, live: _Suggestion, ending: Ending) -> Ending:
        """What an end without all of the text in the document comes to."""
        if ending not in (Ending.REJECTED, Ending.IGNORED):
            return ending
        if live.following.taken > 0:
            return Ending.PARTLY
        if live.shown_at is None and self._client_tells_shown:
            return Ending.UNSEEN
        since = live.since if live.shown_at is None else live.shown_at
        return Ending.UNSEEN if live.ended_at - since < READING_SECONDS else ending

    def _turn_out_accepted(self, ended: _Suggestion) -> None:
        """A client knows better than its edits let on, as where it inserts another text."""
        following = ended.following
        if ended.ending is Ending.TYPED:
            ended.following = following.with_taken(following.taken + following.latest)
        else:
            longest = max(map(len, following.targets))
            ended.following = following.with_taken(max(longest - following.typed, 0))
            ended.region = ended.there or ended.region
        ended.ending, ended.due = Ending.ACCEPTED, ended.ended_at + KEPT_SECONDS

    def _finish(self, ended: _Suggestion, *, at_due: bool) -> None:
        for name in ended.texts:
            if self._by_id.get(name) is ended:
                del self._by_id[name]
        region = ended.region if at_due and ended.ending in TAKEN else None
        kept = region if region and region.original else None
        self._tell(
            Outcome(
                key_of(ended.offer.id),
                ended.offer.circumstances,
                ended.ending,
                ended.ended_at - ended.since,
                typed=ended.following.typed,
                taken=ended.following.taken,
                kept=kept.kept if kept else None,
                exact=kept.exact if kept else None,
                confirmed=ended.confirmed,
            )
        )
