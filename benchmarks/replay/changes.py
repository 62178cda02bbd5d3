"""What somebody changes in a text, place by place, to make a later version of it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

ALIKE = 0.6
"""Two lines of at least this similarity are one line that was edited, not two."""

MOST_PAIRS = 2_500
"""Blocks with more pairs of lines than this are rewritten as they are."""

_LINE = re.compile(r"[^\n]*\n|[^\n]+")
_WORD = re.compile(r"\w+|[^\S\n]+|.", re.DOTALL)

Span = tuple[int, int, int, int]
"""Start and end in the earlier version, then in the later one."""


@dataclass(frozen=True, slots=True)
class Change:
    """One place that is edited.

    Attributes:
        start: where, in characters. All that stands before it is the later version already.
        removed: what stood there.
        written: what stands there afterwards.
    """

    start: int
    removed: str
    written: str


def changes_between(before: str, after: str) -> list[Change]:
    """The changes that lead from one text to the other, in order of position.

    Lines that resemble each other are edited word by word; the others are removed and written anew.
    """
    changes = []
    for span in _joined(_differing(before, after)):
        old_start, old_end, new_start, new_end = span
        change = Change(new_start, before[old_start:old_end], after[new_start:new_end])
        changes.append(_from_line_above(_trimmed(change), after))
    return changes


def _differing(before: str, after: str) -> Iterator[Span]:
    old, new = _LINE.findall(before), _LINE.findall(after)
    for first, last, new_first, new_last in _unequal(old, new):
        yield from _in_block(
            old[first:last],
            new[new_first:new_last],
            sum(map(len, old[:first])),
            sum(map(len, new[:new_first])),
        )


def _in_block(old: Sequence[str], new: Sequence[str], at: int, new_at: int) -> Iterator[Span]:
    """What differs in two blocks of lines that begin at these offsets."""
    done, new_done = 0, 0
    for line, new_line in [*_pairs(old, new), (len(old), len(new))]:
        end = at + sum(map(len, old[done:line]))
        new_end = new_at + sum(map(len, new[new_done:new_line]))
        yield at, end, new_at, new_end
        at, new_at = end, new_end
        if line < len(old):
            yield from _in_line(old[line], new[new_line], at, new_at)
            at, new_at = at + len(old[line]), new_at + len(new[new_line])
        done, new_done = line + 1, new_line + 1


def _in_line(old: str, new: str, at: int, new_at: int) -> Iterator[Span]:
    words, new_words = _WORD.findall(old), _WORD.findall(new)
    starts, new_starts = _starts(words), _starts(new_words)
    for first, last, new_first, new_last in _unequal(words, new_words):
        yield (
            at + starts[first],
            at + starts[last],
            new_at + new_starts[new_first],
            new_at + new_starts[new_last],
        )


def _pairs(old: Sequence[str], new: Sequence[str]) -> list[tuple[int, int]]:
    """Lines that are the same line before and after, in order."""
    if len(old) * len(new) > MOST_PAIRS:
        return []
    pairs, free = [], 0
    for number, line in enumerate(new):
        for candidate in range(free, len(old)):
            if _alike(old[candidate], line):
                pairs.append((candidate, number))
                free = candidate + 1
                break
    return pairs


def _alike(one: str, other: str) -> bool:
    one, other = one.strip(), other.strip()
    if not one or not other:
        return one == other
    matcher = SequenceMatcher(None, one, other, autojunk=False)
    return matcher.quick_ratio() >= ALIKE and matcher.ratio() >= ALIKE


def _unequal(old: Sequence[str], new: Sequence[str]) -> Iterator[Span]:
    matcher = SequenceMatcher(None, old, new, autojunk=False)
    return (span for kind, *span in matcher.get_opcodes() if kind != "equal")  # type: ignore[misc]


def _starts(pieces: Sequence[str]) -> list[int]:
    starts = [0]
    for piece in pieces:
        starts.append(starts[-1] + len(piece))
    return starts


def _joined(spans: Iterator[Span]) -> Iterator[Span]:
    """Spans that touch each other as one; empty ones left out."""
    whole: Span | None = None
    for span in spans:
        if span[0] == span[1] and span[2] == span[3]:
            continue
        if whole and whole[1] == span[0] and whole[3] == span[2]:
            whole = (whole[0], span[1], whole[2], span[3])
            continue
        if whole:
            yield whole
        whole = span
    if whole:
        yield whole


def _trimmed(change: Change) -> Change:
    """Without what is the same at its two ends before and after."""
    removed, written = change.removed, change.written
    same = _common(removed, written)
    removed, written = removed[same:], written[same:]
    tail = _common(removed[::-1], written[::-1])
    if tail:
        removed, written = removed[:-tail], written[:-tail]
    return Change(change.start + same, removed, written)


def _common(one: str, other: str) -> int:
    pairs = zip(one, other, strict=False)
    return next(
        (at for at, (a, b) in enumerate(pairs) if a != b),
        min(len(one), len(other)),
    )


def _from_line_above(change: Change, after: str) -> Change:
    """New lines are written from the end of the line above, beginning with its line break."""
    at_line_start = after[: change.start].endswith("\n")
    if change.removed or not change.written.endswith("\n") or not at_line_start:
        return change
    return Change(change.start - 1, "", "\n" + change.written[:-1])
