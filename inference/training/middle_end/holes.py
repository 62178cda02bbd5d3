"""Holes cut out of source files, of the kinds that people leave and mark."""

from __future__ import annotations

import hashlib
import random
import re
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from midfill.inference.training.corpus.errors import CorpusUnusable
from midfill.inference.wire import Extent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from midfill.inference.training.corpus.source_text import SourceText

PYTHON_SHARE = 0.6
ATTEMPTS = 2000
PREFIX_CHARACTERS = 1200
SUFFIX_CHARACTERS = 1200
LONGEST_MIDDLE = 260
"""Characters."""

STAND_IN = "_"
"""Stands for a range that somebody marked; see `evaluation.arms.request`."""

_TRAILING_CLOSERS = re.compile(r"[)\]}>\"'`,;:]+\s*$")
_WORD_ENDS = re.compile(r"\w\b|[^\w\s]")


class Kind(StrEnum):
    """What the table of results tells apart."""

    ONE_LINE = "one line"
    SEVERAL_LINES = "several lines"
    SPAN = "random span"


@dataclass(frozen=True, slots=True)
class EndHole:
    """A hole and what stood in it.

    Attributes:
        task: the file it was cut from.
        language: of the file.
        kind: how it was cut.
        part: the same more finely.
        prefix, middle, suffix: consecutive text of the file.
        replaced: what the engine is told was in the hole.
    """

    task: str
    language: str
    kind: Kind
    part: str
    prefix: str
    middle: str
    suffix: str
    replaced: str = ""

    @property
    def extent(self) -> Extent:
        return Extent.LINE if self.kind is Kind.ONE_LINE else Extent.LINES


def cut_holes(files: Sequence[SourceText], seed: str, count: int) -> list[EndHole]:
    """Cut holes, as many of each kind; the same seed cuts the same ones.

    Raises:
        CorpusUnusable: there are no files, or hardly one has the lines that a hole takes.
    """
    drawing = random.Random(seed)
    python = [file for file in files if file.language == "python"]
    others = [file for file in files if file.language != "python"]
    if not files:
        raise CorpusUnusable("the corpus has no files to cut holes out of: add packages to it")
    kinds = list(Kind)
    holes: list[EndHole] = []
    for _ in range(count * ATTEMPTS):
        if len(holes) == count:
            return holes
        pool = (python if drawing.random() < PYTHON_SHARE else others) or files
        file = drawing.choice(pool)
        cut = _cut(drawing, file.text, kinds[len(holes) % len(kinds)])
        if cut is not None:
            holes.append(_hole(file, kinds[len(holes) % len(kinds)], *cut))
    raise CorpusUnusable(
        "hardly a file of the corpus has the lines that a hole takes: add packages to it"
    )


def identity_of(holes: Sequence[EndHole]) -> str:
    """Tells whether what was kept is of the same holes."""
    return hashlib.sha256(repr([asdict(hole) for hole in holes]).encode()).hexdigest()


def _hole(file: SourceText, kind: Kind, part: str, start: int, end: int, replaced: str) -> EndHole:
    text = file.text
    window = max(0, start - PREFIX_CHARACTERS)
    if window:
        line_start = text.find("\n", window, start) + 1
        window = line_start or window
    return EndHole(
        task=f"{file.package}/{file.path}",
        language=file.language,
        kind=kind,
        part=part,
        prefix=text[window:start],
        middle=text[start:end],
        suffix=text[end : end + SUFFIX_CHARACTERS],
        replaced=replaced,
    )


def _cut(drawing: random.Random, text: str, kind: Kind) -> tuple[str, int, int, str] | None:
    """The hole's part, start and end, and what it is said to replace."""
    breaks = [match.start() for match in re.finditer("\n", text)]
    if len(breaks) < 12:
        return None
    first = drawing.randrange(1, len(breaks) - 9)
    start, line_end = breaks[first - 1] + 1, breaks[first]
    indent = len(text[start:line_end]) - len(text[start:line_end].lstrip())
    if not text[start:line_end].strip():
        return None
    if kind is Kind.ONE_LINE:
        part, begin, end = _one_line(drawing, text[start:line_end], indent)
        cut = (part, start + begin, start + end, "")
    elif kind is Kind.SEVERAL_LINES:
        cut = _several_lines(drawing, text, breaks, first, indent)
    else:
        begin = drawing.randrange(start, line_end)
        end = begin + round(2 ** drawing.uniform(2, 8))
        cut = ("span", begin, end, STAND_IN)
        rest = text[end:].partition("\n")[0]
        if not rest.strip() or not text[end - 1].strip():
            return None
    middle = text[cut[1] : cut[2]]
    return cut if middle.strip() and len(middle) <= LONGEST_MIDDLE else None


def _one_line(drawing: random.Random, line: str, indent: int) -> tuple[str, int, int]:
    """Part, start and end of a hole in one line, as offsets into it."""
    way = drawing.random()
    end = len(line.rstrip())
    if way < 0.3:
        return "whole line", drawing.choice((0, indent)), end
    begin = drawing.randrange(indent, end)
    if way < 0.6:
        return "rest of line", begin, end
    closers = _TRAILING_CLOSERS.search(line, begin)
    if closers is not None and drawing.random() < 0.5 and closers.start() > begin:
        return "in line", begin, drawing.randrange(closers.start(), closers.end())
    ends = [match.end() for match in _WORD_ENDS.finditer(line, begin) if match.end() < end]
    return ("in line", begin, drawing.choice(ends)) if ends else ("rest of line", begin, end)


def _several_lines(
    drawing: random.Random, text: str, breaks: Sequence[int], first: int, indent: int
) -> tuple[str, int, int, str]:
    start = breaks[first - 1] + 1
    end = breaks[first + drawing.randint(1, 7)]
    way = drawing.random()
    if way < 0.4:
        return "whole lines", start, end, STAND_IN
    if way < 0.6:
        return "whole lines and break", start, end + 1, f"{STAND_IN}\n"
    return "from inside a line", drawing.randrange(start + indent, breaks[first]), end, STAND_IN
