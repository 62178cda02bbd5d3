"""Where the middle ends: rules over the text written so far.

The base model sees the suffix but does not stop at it, so the end is found from outside. Each rule
looks at the middle and what stands around it and names the offset at which the middle ends, or
nothing. The rule that ends it earliest wins.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from midfill.inference.text.indentation import indentation
from midfill.inference.text.seam import (
    CLOSERS,
    before_unmatched,
    leaves_bracket_open,
    start_of_ending,
)
from midfill.inference.wire import Extent, Stop

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@dataclass(frozen=True, slots=True)
class Surroundings:
    """The text around a hole, cut to what the rules look at.

    Attributes:
        line_before: from the start of the hole's line to the hole.
        line_after: what the middle's last line has to lead up to; empty where the middle ends with
            its line, because a line break stands behind the hole or the middle brings its own.
        next_line: the first visible line behind the hole, with its indentation. Empty if there is
            none.
        brings_break: the middle has to end with a line break of its own.
    """

    line_before: str
    line_after: str
    next_line: str
    brings_break: bool = False

    @classmethod
    def of(
        cls, prefix: str, suffix: str, extent: Extent = Extent.LINE, replaced: str = ""
    ) -> Surroundings:
        """Args: the text before, behind and in the hole, with ``\\n`` line breaks."""
        line_before = prefix[prefix.rfind("\n") + 1 :]
        line_after = suffix.partition("\n")[0]
        # Whole lines are wanted, in front of what starts a line.
        brings_break = extent is Extent.LINES and (
            replaced.endswith("\n")
            or (not replaced and not line_before and line_after.strip() != "")
        )
        return cls(
            line_before=line_before,
            line_after="" if brings_break else line_after,
            next_line=next((line for line in _lines(suffix) if line.strip()), "").rstrip(),
            brings_break=brings_break,
        )


@dataclass(frozen=True, slots=True)
class Ending:
    """The middle is ``text[:at]``."""

    at: int
    stop: Stop


def end_of_line(middle: str, around: Surroundings) -> int | None:
    """The first line break behind the middle's first visible character."""
    visible = len(middle) - len(middle.lstrip())
    at = middle.find("\n", visible)
    return at if visible < len(middle) and at >= 0 else None


def end_of_statement(middle: str, around: Surroundings) -> int | None:
    """The first line break behind a visible character that is inside no bracket of the middle's."""
    at = end_of_line(middle, around)
    while at is not None and at >= 0 and leaves_bracket_open(middle[: at + 1]):
        at = middle.find("\n", at + 1)
    return at if at is not None and at >= 0 else None


def rest_of_line(middle: str, around: Surroundings) -> int | None:
    """Where the middle meets the rest of the line on which the hole ends.

    That is the bracket with which the rest begins, closing one from before; or the end of a
    finished line that ends as the rest does.
    """
    rest = around.line_after.strip()
    if rest[:1] in CLOSERS:
        return before_unmatched(middle, rest[0])
    if rest:
        for start, line in _finished_lines(middle):
            if (at := start_of_ending(line, around.line_after)) is not None:
                return start + at
    return None


def repeated_suffix_line(middle: str, around: Surroundings) -> int | None:
    """A finished line that says again what the next visible line says; the middle ends before it.

    Short lines, such as a closing bracket or ``else:``, count only at the same indentation.
    """
    if not around.next_line:
        return None
    short = len(around.next_line.strip()) <= SHORT_LINE
    for start, line in _finished_lines(middle):
        whole = (around.line_before + line if start == 0 else line).rstrip()
        same = whole == around.next_line or (
            not short and whole.strip() == around.next_line.strip()
        )
        if same:
            return start
    return None


def dedent(middle: str, around: Surroundings) -> int | None:
    """A line indented less than the hole's scope; the middle ends before it.

    The scope is that of the line on which the middle begins; behind a colon, of the block it opens.
    """
    opens_block = around.line_before.rstrip().endswith(":")
    scope = (
        indentation(around.line_before) if around.line_before.strip() and not opens_block else None
    )
    for start, line in _started_lines(middle):
        whole = around.line_before + line if start == 0 else line
        if not whole.strip() or (start == 0 and opens_block) or _in_long_string(middle[:start]):
            continue
        if scope is None:
            scope = indentation(whole)
        elif indentation(whole) < scope:
            return start
    return None


def dedent_without_suffix(middle: str, around: Surroundings) -> int | None:
    """`dedent`, where nothing visible follows that the middle could lead up to.

    Elsewhere a dedent mostly belongs to the middle; see ``docs/end-of-middle.md``.
    """
    return None if around.next_line else dedent(middle, around)


RULES: dict[Extent, tuple[tuple[Stop, Callable[[str, Surroundings], int | None]], ...]] = {
    Extent.LINE: (
        (Stop.REST_OF_LINE, rest_of_line),
        (Stop.SUFFIX, repeated_suffix_line),
        (Stop.LINE_END, end_of_line),
    ),
    Extent.STATEMENT: (
        (Stop.REST_OF_LINE, rest_of_line),
        (Stop.SUFFIX, repeated_suffix_line),
        (Stop.LINE_END, end_of_statement),
    ),
    Extent.BLOCK: (
        (Stop.REST_OF_LINE, rest_of_line),
        (Stop.SUFFIX, repeated_suffix_line),
        (Stop.DEDENT, dedent),
    ),
    Extent.LINES: (
        (Stop.REST_OF_LINE, rest_of_line),
        (Stop.SUFFIX, repeated_suffix_line),
        (Stop.DEDENT, dedent_without_suffix),
    ),
}
SHORT_LINE = 6
LONG_QUOTES = ('"""', "'''", "`")


def find_end(middle: str, around: Surroundings, extent: Extent) -> Ending | None:
    """The earliest end that a rule finds; of two at the same place, the first rule's."""
    endings = [
        Ending(at, stop) for stop, rule in RULES[extent] if (at := rule(middle, around)) is not None
    ]
    return min(endings, key=lambda ending: ending.at, default=None)


def finished_part(middle: str, extent: Extent) -> str:
    """What to keep of a middle that was cut short by a limit.

    Whole lines where several are wanted and one is complete; else everything but a last word that
    may be half written.
    """
    last_break = middle.rfind("\n")
    if extent.several_lines and middle[: max(last_break, 0)].strip():
        return middle[:last_break]
    end = len(middle)
    while end > 0 and (middle[end - 1].isalnum() or middle[end - 1] == "_"):
        end -= 1
    return middle[:end].rstrip(" \t") if end else middle


def _lines(text: str) -> Iterator[str]:
    """Lines without their breaks, found one at a time: ``text`` may be long."""
    start = 0
    while (end := text.find("\n", start)) >= 0:
        yield text[start:end]
        start = end + 1
    yield text[start:]


def _started_lines(middle: str) -> Iterator[tuple[int, str]]:
    """Each line with its offset, the last one however far it has come."""
    start = 0
    for line in _lines(middle):
        yield start, line
        start += len(line) + 1


def _finished_lines(middle: str) -> Iterator[tuple[int, str]]:
    """Each line that a break has ended, with its offset."""
    end = middle.rfind("\n")
    return _started_lines(middle[:end]) if end >= 0 else iter(())


def _in_long_string(text: str) -> bool:
    """Whether a string that may span lines is open behind ``text``."""
    return any(text.count(quote) % 2 for quote in LONG_QUOTES)
