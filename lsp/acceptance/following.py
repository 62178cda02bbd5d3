"""One suggestion on an editor's screen, followed through the edits of its document."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import TYPE_CHECKING

from midfill.lsp.acceptance.agreement import (
    agreement,
    inside_word,
    one_key,
    only_closes,
    runs_on,
)
from midfill.lsp.acceptance.edit import Edit
from midfill.lsp.acceptance.region import Region

if TYPE_CHECKING:
    from collections.abc import Sequence

    from midfill.lsp.acceptance.offer import Offer

RUN_OF_KEYS = 3
"""So many characters a client may send at once that were typed one by one: some wait a little."""

PAUSE = 0.5
"""Seconds after which characters that come together were not typed."""


class Turn(Enum):
    """What edits mean for a suggestion."""

    ELSEWHERE = auto()
    ON = auto()
    INSERTED = auto()
    """All that was left of it is in the document, at once."""
    TYPED = auto()
    """All of it is in the document, and its end was typed."""
    AGAINST = auto()


@dataclass(frozen=True, slots=True)
class Following:
    """Where a suggestion stands, and how much of it is in the document already.

    Attributes:
        start: of its place, in characters.
        text: what is at its place now; at first, what it would replace.
        targets: what would be there if it were accepted, one for each choice that is left.
        replaced: what was at its place at first.
        selected: what an entry of the editor's completion list would put there.
        after: some of the text behind its place.
        reached: characters of a target that are there, at most.
        typed: of these, how many were typed, and
        taken: how many were inserted otherwise.
        latest: how many came with the last edits.
    """

    start: int
    text: str
    targets: tuple[str, ...]
    replaced: str
    selected: frozenset[str]
    after: str
    reached: int
    typed: int = 0
    taken: int = 0
    latest: int = 0

    @classmethod
    def of(cls, offer: Offer) -> Following:
        return cls(
            offer.start,
            offer.replaced,
            offer.texts,
            offer.replaced,
            frozenset({offer.selected} - {""}),
            offer.after,
            _reached(offer.replaced, offer.texts),
        )

    @property
    def end(self) -> int:
        return self.start + len(self.text)

    @property
    def region(self) -> Region:
        """What of it is in the document."""
        there = max(agreement(self.text, target)[0] for target in self.targets)
        return Region.of(self.start, self.text[:there])

    def with_taken(self, taken: int) -> Following:
        """The same if so many characters of it were taken at least, not typed."""
        taken = min(max(taken, self.taken), max(map(len, self.targets)))
        return replace(self, taken=taken, typed=max(min(self.typed, self.reached - taken), 0))

    def with_offer(self, offer: Offer) -> Following | None:
        """The same suggestion as it is offered once more, without what is in the document by now.

        Returns:
            None if that is another one.
        """
        start, text = min(self.start, offer.start), self._joined(offer)
        if text is None:
            return None
        old = [_laid(text, self.start - start, self.text, target) for target in self.targets]
        new = [_laid(text, offer.start - start, offer.replaced, other) for other in offer.texts]
        if not any(_alike(one, other) for one in old for other in new):
            return None
        selected = {_laid(text, offer.start - start, offer.replaced, offer.selected)}
        return replace(
            self,
            start=start,
            text=text,
            targets=tuple(new),
            replaced=self.replaced if start == self.start else text,
            selected=self.selected | (selected if offer.selected else set()),
            after=offer.after if offer.end >= self.end else self.after,
            reached=_reached(text, new),
        )

    def _joined(self, offer: Offer) -> str | None:
        """What stands at the places of both; None if they do not meet, or not in this text."""
        (start, first), (behind, second) = sorted(
            [(self.start, self.text), (offer.start, offer.replaced)]
        )
        gap = behind - start
        if gap > len(first):
            return None
        common = min(len(first) - gap, len(second))
        if first[gap : gap + common] != second[:common]:
            return None
        return first + second[common:]


@dataclass(frozen=True, slots=True)
class Followed:
    """A suggestion after edits.

    Attributes:
        left: what of it was in the document before, as it is now.
    """

    now: Following
    turn: Turn
    left: Region


def follow(suggestion: Following, edits: Sequence[Edit], pause: float) -> Followed:
    """What edits mean that a client told of together.

    Args:
        pause: seconds since the edits before.
    """
    now, left = suggestion, suggestion.region
    touching: list[Edit] = []
    broken = False
    for given in edits:
        edit = _slid_back(given, now)
        left = left.after(edit)
        if edit.start > now.end:
            now = replace(now, after=_edited(now.after, edit, now.end))
        elif edit.end < now.start:
            now = replace(now, start=now.start + edit.grows_by)
        else:
            touching.append(edit)
            broken = broken or _breaks(edit, now)
            now = _touched(now, edit)
    if broken:
        return Followed(now, Turn.AGAINST, left)
    if not any(edit.text or edit.end > edit.start for edit in touching):
        return Followed(now, Turn.ELSEWHERE, left)
    typed = all(one_key(edit.text) for edit in touching if edit.text)
    return _judged(suggestion, now, left, typed=typed, pause=pause)


def _judged(
    before: Following, now: Following, left: Region, *, typed: bool, pause: float
) -> Followed:
    done, alive = [], []
    for target in now.targets:
        there, reached = agreement(now.text, target)
        rest = now.text[there:]
        if reached == len(target) and (rest == before.text or not runs_on(target, rest)):
            done.append((reached, target))
        elif only_closes(rest, now.text[:there]) or now.replaced.endswith(rest):
            alive.append((reached, target))
    if not done and not alive:
        return Followed(now, Turn.AGAINST, left)
    reached, target = max(done or alive)
    gained = reached - before.reached
    burst = pause < PAUSE and gained <= RUN_OF_KEYS
    if not done:
        typed |= burst or gained <= 1 or now.text in now.selected or inside_word(target, reached)
        targets = tuple(target for _, target in alive)
        now = _counted(replace(now, targets=targets), reached, gained, typed=typed)
        return Followed(now, Turn.ON, left)
    typed |= burst and before.typed > 0
    now = _counted(replace(now, targets=(target,)), reached, gained, typed=typed)
    return Followed(now, Turn.TYPED if typed else Turn.INSERTED, now.region)


def _counted(now: Following, reached: int, gained: int, *, typed: bool) -> Following:
    """Count what came, or take off what was deleted again, first of what was typed."""
    if gained < 0:
        typed_left = max(now.typed + gained, 0)
        taken_left = max(now.taken + now.typed + gained - typed_left, 0)
        return replace(now, reached=reached, typed=typed_left, taken=taken_left, latest=0)
    now = replace(now, reached=reached, latest=gained)
    if typed:
        return replace(now, typed=now.typed + gained)
    return replace(now, taken=now.taken + gained)


def _slid_back(edit: Edit, now: Following) -> Edit:
    """An insertion as one at the suggestion's end, if that makes the same text.

    Clients that compare texts report what was typed before an equal text as typed behind it.
    """
    passed = now.after[: edit.start - now.end]
    beyond = edit.start == edit.end and 0 < edit.start - now.end == len(passed)
    if not beyond or not (passed + edit.text).endswith(passed):
        return edit
    return Edit(now.end, now.end, (passed + edit.text)[: len(edit.text)])


def _breaks(edit: Edit, now: Following) -> bool:
    """Whether it changes what the suggestion stands behind, or deletes what it stands before."""
    return edit.start < now.start or (edit.end > now.end and not edit.text)


def _touched(now: Following, edit: Edit) -> Following:
    head = now.text[: max(edit.start - now.start, 0)]
    tail = now.text[edit.end - now.start :]
    after = now.after[max(edit.end - now.end, 0) :]
    start = min(edit.start, now.start)
    return replace(now, start=start, text=head + edit.text + tail, after=after)


def _edited(text: str, edit: Edit, at: int) -> str:
    """A text that begins at a place of the edited one, after an edit behind that place."""
    if edit.start - at >= len(text):
        return text
    return Edit(edit.start - at, edit.end - at, edit.text).applied_to(text)


def _reached(text: str, targets: Sequence[str]) -> int:
    return max(agreement(text, target)[1] for target in targets)


def _laid(text: str, at: int, replaced: str, target: str) -> str:
    return text[:at] + target + text[at + len(replaced) :]


def _alike(one: str, other: str) -> bool:
    return agreement(one, other) == (len(one), len(other))
