"""Replaying a written text token by token, and judging where a policy ends it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from midfill.inference.ending import (
    NOWHERE,
    LikelyEnd,
    end_at_limit,
    likelier_end,
    may_end,
    overdue_end,
)
from midfill.inference.filling import Task, joined
from midfill.inference.stopping import RULES, Ending, Surroundings, dedent, finished_part
from midfill.inference.wire import Extent, Stop

if TYPE_CHECKING:
    from collections.abc import Sequence

    from midfill.inference.ending import Bars
    from midfill.inference.tokenizer import Tokenizer
    from midfill.inference.training.middle_end.holes import EndHole


class Outcome(StrEnum):
    """How the text that was ended compares with the true middle."""

    EXACT = "exact"
    EARLY = "early"
    LATE = "late"


@dataclass(frozen=True, slots=True)
class Trace:
    """A text as it was written.

    Attributes:
        texts: of the middle behind each slot; see `written.Written`.
        pieces: the text of each slot's token; slot 0 has none.
        endings: what the rules find behind each slot, a dedent among it wherever there is one.
    """

    hole: EndHole
    around: Surroundings
    texts: tuple[str, ...]
    pieces: tuple[str, ...]
    endings: tuple[tuple[Ending, ...], ...]

    @property
    def slots(self) -> int:
        """Those whose next token is known."""
        return len(self.texts) - 1

    @property
    def in_line(self) -> bool:
        """Whether the middle leads up to something visible on its last line."""
        return bool(self.around.line_after.strip())

    @property
    def several_lines(self) -> bool:
        return self.hole.extent is Extent.LINES

    @property
    def needs_head(self) -> bool:
        """Whether the end is not simply that of the line."""
        return self.in_line or self.hole.extent is Extent.LINES

    def right_slots(self, end: int) -> range:
        """The slots at which the end may be found, where the first of them is ``end``.

        Behind whole lines these are all until something visible follows.
        """
        last = end
        if not self.in_line:
            whole = self.hole.middle.rstrip()
            while last + 1 < self.slots and self.texts[last + 1].rstrip() == whole:
                last += 1
            while end > 1 and self.texts[end - 1].rstrip() == whole and self.may_end(end - 1):
                end -= 1
        return range(end, last + 1)

    def may_end(self, slot: int) -> bool:
        """Whether the head is asked here."""
        return may_end(self.texts[slot], self.pieces[slot + 1], self.around)


def trace(tokenizer: Tokenizer, hole: EndHole, owed: int, tokens: Sequence[int]) -> Trace:
    """The trace of tokens; ``owed`` bytes at their start repeat the prefix."""
    around = Surroundings.of(hole.prefix, hole.suffix, hole.extent, hole.replaced)
    data = b""
    texts, pieces = [""], [""]
    for token in tokens:
        piece = tokenizer.token_bytes(token)
        data += piece
        text = data[owed:].decode(errors="ignore")
        pieces.append(piece.decode(errors="ignore"))
        texts.append(text)
    endings = tuple(_endings(text, around, hole.extent) for text in texts)
    return Trace(hole, around, tuple(texts), tuple(pieces), endings)


def _endings(middle: str, around: Surroundings, extent: Extent) -> tuple[Ending, ...]:
    found = [
        (stop, dedent(middle, around) if stop is Stop.DEDENT else rule(middle, around))
        for stop, rule in RULES[extent]
    ]
    return tuple(Ending(at, stop) for stop, at in found if at is not None)


def ended(
    one: Trace,
    likely: Sequence[LikelyEnd],
    bars: Bars | None,
    *,
    rules: bool = True,
    dedent: bool = False,
) -> tuple[str, int] | None:
    """The finished middle, and the slot at which it was found; None if no end was found.

    Args:
        one: what is written.
        likely: `likely_ends` of it.
        bars: how likely an end has to be; None if the chances do not count.
        rules: whether the rules are asked.
        dedent: whether a dedent ends the middle even where something visible follows.
    """
    everywhere = dedent or not one.around.next_line
    for slot, text in enumerate(one.texts):
        if rules and (ending := _earliest(one.endings[slot], dedent=everywhere)):
            return _finished(one, text, ending), slot
        if bars and one.several_lines and (ending := overdue_end(likely[slot], slot, bars)):
            return _finished(one, text, ending), slot
    return None


def cut_short(one: Trace, likely: Sequence[LikelyEnd], bars: Bars | None) -> str:
    """What a limit would leave of a text in which no end is found."""
    if bars and one.several_lines and (ending := end_at_limit(likely[-1], bars)):
        return _finished(one, one.texts[-1], ending)
    return finished_part(one.texts[-1], one.hole.extent)


def likely_ends(one: Trace, chances: Sequence[float]) -> tuple[LikelyEnd, ...]:
    """For each slot the likeliest end before it, given the chances behind all but the last."""
    found = [NOWHERE]
    for slot in range(one.slots):
        found.append(
            likelier_end(
                found[-1],
                one.texts[slot],
                one.pieces[slot],
                one.pieces[slot + 1],
                chances[slot],
                slot,
                one.around,
            )
        )
    return tuple(found)


def _earliest(endings: Sequence[Ending], *, dedent: bool) -> Ending | None:
    """The earliest of the ends; of two, the first rule's."""
    holding = [ending for ending in endings if dedent or ending.stop is not Stop.DEDENT]
    return min(holding, key=lambda ending: ending.at, default=None)


def _finished(one: Trace, text: str, ending: Ending) -> str:
    hole = one.hole
    task = Task(hole.prefix, hole.suffix, hole.replaced, hole.extent, b"", 0, 0.0)
    return joined(text[: ending.at], ending.stop, task, one.around)


def outcome(one: Trace, text: str | None) -> Outcome:
    """Blank space at the end does not count where the line ends with the middle."""
    if text is None:
        return Outcome.LATE
    true = one.hole.middle
    if not one.around.line_after.strip():
        text, true = text.rstrip(), true.rstrip()
    if text == true:
        return Outcome.EXACT
    return Outcome.EARLY if len(text) < len(true) else Outcome.LATE
