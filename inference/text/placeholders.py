"""What people write where something is still missing."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from midfill.inference.text.line_breaks import LINE_BREAK
from midfill.inference.wire import Extent

if TYPE_CHECKING:
    from collections.abc import Iterator

_LINE = re.compile(r"[^\r\n]+")
_TODO = re.compile(
    r"(?P<comment>\s*(?:#|//|--|;)\s*)(?:TODO|FIXME)\b(?:\([^)]*\))?:?\s*(?P<task>.*)"
)
_STANDS_ALONE = re.compile(r"\s*(?P<mark>\.\.\.|…)\s*(?:(?:#|//).*)?")
_PASS = re.compile(r"\s*(?P<mark>pass)\s*(?:#.*)?")
_BLANK = re.compile(r"(?<![\w$])_{3,}(?![\w(])")


@dataclass(frozen=True, slots=True)
class Placeholder:
    """A hole that somebody has marked.

    Attributes:
        start: of what is replaced, in characters of the text, and
        end: where it ends.
        extent: how far the fill may go.
        lead: what comes in front of the fill, for the model to read and to be kept.
        one_paragraph: a blank line ends the fill, as what a TODO asks for is seldom more.
    """

    start: int
    end: int
    extent: Extent
    lead: str = ""
    one_paragraph: bool = False


def placeholders_in(text: str, start: int = 0, end: int | None = None) -> list[Placeholder]:
    """The placeholders between two offsets, in order; none overlaps another.

    These are bodies of nothing but ``...`` or ``pass``, lines that are a TODO, and ``___``. The
    comment of a TODO stays, without the word, and the code goes below it.
    """
    end = len(text) if end is None else end
    found = []
    for line in _LINE.finditer(text):
        for placeholder in _in_line(text, line):
            if start <= placeholder.start and placeholder.end <= end:
                found.append(placeholder)
    return found


def _in_line(text: str, line: re.Match[str]) -> Iterator[Placeholder]:
    at, words = line.start(), line.group()
    match = _STANDS_ALONE.fullmatch(words) or _PASS.fullmatch(words)
    if match and (match["mark"] != "pass" or _is_whole_body(text, at)):
        yield Placeholder(at + match.start("mark"), line.end(), Extent.BLOCK)
    elif match := _TODO.fullmatch(words):
        comment = match["comment"]
        indent = comment[: len(comment) - len(comment.lstrip())]
        lead = f"{comment.lstrip()}{match['task']}\n{indent}" if match["task"] else ""
        yield Placeholder(at + len(indent), line.end(), Extent.BLOCK, lead, one_paragraph=True)
    else:
        for blank in _BLANK.finditer(words):
            yield Placeholder(at + blank.start(), at + blank.end(), Extent.LINE)


def _is_whole_body(text: str, line_start: int) -> bool:
    """Whether a block, or its docstring, stands right above a line."""
    above = LINE_BREAK.split(text[max(line_start - 2000, 0) : line_start].rstrip())[-1]
    return above.endswith((":", '"""', "'''"))
