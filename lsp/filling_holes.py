"""Filling several holes of a text, one after the other, each with the fills before it in view."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from midfill.inference.text.common_stretch import common_end, common_start
from midfill.inference.text.line_breaks import in_document, line_break_of
from midfill.inference.wire import Limits
from midfill.lsp.fill_request import infill_request
from midfill.lsp.silence import nothing_left

if TYPE_CHECKING:
    from collections.abc import Sequence

    from midfill.inference.text.placeholders import Placeholder
    from midfill.inference.wire import Final, InfillRequest
    from midfill.lsp.silence import Silence

_BLANK_LINE = re.compile(r"(?:\r\n|\n|\r)[ \t]*(?=[\r\n])")


@dataclass(frozen=True, slots=True)
class Replacement:
    """``text`` in place of the characters from ``start`` to before ``end``."""

    start: int
    end: int
    text: str


class HolesToFill:
    """Gives a request for each hole, in order, and takes the fill before it gives the next.

    Attributes:
        replacements: so far, in offsets of the text as it was.
        unfilled: holes for which there was nothing, and why.
    """

    def __init__(self, text: str, holes: Sequence[Placeholder]) -> None:
        """Args: holes: in order and apart."""
        self._text = text
        self._line_break = line_break_of(text)
        self._holes = list(holes)
        self.replacements: list[Replacement] = []
        self.unfilled: dict[Placeholder, Silence] = {}
        self._limits = Limits()

    @property
    def left(self) -> int:
        return len(self._holes)

    @property
    def places(self) -> list[tuple[int, int]]:
        """Start and end of each hole that is left, in offsets of the text as it was."""
        return [(hole.start, hole.end) for hole in self._holes]

    def request(self) -> InfillRequest:
        """What to ask for the next hole; there must be one `left`.

        The holes behind it are empty then: a model that sees placeholders writes more of them.
        """
        hole, *later = self._holes
        emptied = [Replacement(other.start, other.end, "") for other in later]
        text = replaced(self._text, [*self.replacements, *emptied])
        shift = self._shift()
        lead = in_document(hole.lead, self._line_break)
        start, end = hole.start + shift, hole.end + shift
        text = text[:start] + lead + text[start:]
        request = infill_request(text, start + len(lead), end + len(lead), hole.extent)
        self._limits = request.limits
        return request

    def put(self, final: Final) -> None:
        """The fill of the next hole."""
        hole = self._holes.pop(0)
        text = _first_paragraph(final.text) if hole.one_paragraph else final.text
        if not text.strip():
            self.unfilled[hole] = nothing_left(final.stop, self._limits)
            return
        lead = in_document(hole.lead, self._line_break)
        self.replacements.append(Replacement(hole.start, hole.end, lead + text))

    def _shift(self) -> int:
        return sum(len(r.text) - (r.end - r.start) for r in self.replacements)


def _first_paragraph(text: str) -> str:
    blank_line = _BLANK_LINE.search(text, len(text) - len(text.lstrip()))
    return text[: blank_line.start()] if blank_line else text


def replaced(text: str, replacements: Sequence[Replacement]) -> str:
    """``text`` with replacements, which are in order and do not overlap."""
    pieces, at = [], 0
    for replacement in replacements:
        pieces += [text[at : replacement.start], replacement.text]
        at = replacement.end
    return "".join([*pieces, text[at:]])


def rebased(replacements: Sequence[Replacement], old: str, new: str) -> list[Replacement]:
    """Replacements in a text that has changed since; those that the change touches are dropped.

    The change is taken to be the one stretch in which the texts differ.
    """
    if old == new:
        return list(replacements)
    start = common_start(old, new)
    same_end = common_end(old, new, min(len(old), len(new)) - start)
    end, shift = len(old) - same_end, len(new) - len(old)
    return [
        Replacement(r.start + moved, r.end + moved, r.text)
        for r in replacements
        if (moved := 0 if r.end < start else shift if r.start > end else None) is not None
    ]
