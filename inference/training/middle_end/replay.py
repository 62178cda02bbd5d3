"""Replaying a written text token by token, and judging where a policy ends it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from midfill.inference.ending import Chance, confirmed, end_by_head, may_end, rule_endings
from midfill.inference.filling import Task, _joined
from midfill.inference.stopping import Surroundings, finished_part
from midfill.inference.wire import Extent

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from midfill.inference.ending import Bars
    from midfill.inference.stopping import Ending
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
        endings: what the rules find behind each slot.
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
    endings = tuple(rule_endings(text, around, hole.extent) for text in texts)
    return Trace(hole, around, tuple(texts), tuple(pieces), endings)


def ended(
    one: Trace, chances: Sequence[float], bars: Mapping[Extent, Bars], *, rules: bool = True
) -> tuple[str, int] | None:
    """The finished middle, and the slot at which it was found; None if no end was found.

    Args:
        one: what is written.
        chances: behind each slot but perhaps the last.
        bars: how sure the head has to be.
        rules: whether the rules are asked.
    """
    extent = one.hole.extent
    heard: list[Chance] = []
    for slot, text in enumerate(one.texts):
        if rules and (ending := confirmed(one.endings[slot], text, heard, bars[extent])):
            return _finished(one, text, ending), slot
        if slot == one.slots:
            break
        ending = end_by_head(
            text,
            one.pieces[slot],
            one.pieces[slot + 1],
            one.hole.suffix,
            one.around,
            chances[slot],
            bars[extent],
        )
        if ending:
            return _finished(one, text, ending), slot
        heard.append(Chance(len(text), chances[slot]))
    return None


def shown(one: Trace, end: tuple[str, int] | None) -> str:
    """The text that a user would get; where no end is found, what a limit would leave of it."""
    return end[0] if end else finished_part(one.texts[-1], one.hole.extent)


def _finished(one: Trace, text: str, ending: Ending) -> str:
    hole = one.hole
    task = Task(hole.prefix, hole.suffix, hole.replaced, hole.extent, b"", 0, 0.0)
    return _joined(text[: ending.at], ending.stop, task, one.around)


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
