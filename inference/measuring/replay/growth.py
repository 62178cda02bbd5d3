"""Latency against what should not matter: long files, long holes, many open documents."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING

from midfill.inference.measuring.replay.sources import SourceFile
from midfill.inference.measuring.replay.statistics import Distribution, distribution
from midfill.inference.measuring.replay.typed_line import (
    TypedLine,
    choose_lines,
    request_at,
    worth_typing,
)
from midfill.inference.progress import Progress
from midfill.inference.wire import Extent

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from midfill.inference.measuring.replay.writer import Writer, Written
    from midfill.inference.progress import ProgressListener

FILE_LINES = (100, 500, 2_000, 8_000, 20_000)
HOLE_TOKENS = (1, 4, 16, 64, 256)
DOCUMENTS = (1, 3, 10, 30, 100)

LINES_EACH = 3
"""Lines typed for each point, one behind the other in the document's middle."""

WARM_EACH = 3
"""Warm requests of each line."""

OUTERMOST = re.compile(r"^(?=[A-Za-z@])", re.MULTILINE)


class Series(StrEnum):
    """What grows, and what is measured meanwhile."""

    FILE_LINES = "lines of the file, warm"
    FILE_LINES_COLD = "lines of the file, cold"
    HOLE_TOKENS = "tokens written"
    DOCUMENTS = "open documents, typing in one of them"
    DOCUMENTS_BACK = "open documents, back in the first of them"


@dataclass(frozen=True, slots=True)
class GrowthPoint:
    """
    Attributes:
        series: what grows.
        size: how large it is; of holes, the tokens allowed.
        ms: of a suggestion, the window around the cursor cut out of the document included.
        tokens: written.
    """

    series: Series
    size: int
    ms: Distribution
    tokens: Distribution | None


def measure_growth(
    writer: Writer,
    files: Sequence[SourceFile],
    seed: int,
    listener: ProgressListener,
    *,
    file_lines: Sequence[int] = FILE_LINES,
    hole_tokens: Sequence[int] = HOLE_TOKENS,
    documents: Sequence[int] = DOCUMENTS,
) -> Iterator[GrowthPoint]:
    """Measure point by point, so that whoever breaks it off has the points until then.

    Args:
        writer: is measured.
        files: what documents are made of.
        seed: which lines are typed.
        listener: told how far it is.
        file_lines, hole_tokens, documents: the sizes.
    """
    total = len(file_lines) + len(hole_tokens) + len(documents)
    done = 0

    def tell(what: str) -> None:
        nonlocal done
        listener(Progress("measuring growth", done / total, what))
        done += 1

    for size in file_lines:
        tell(f"a file of {size} lines")
        yield from _file(writer, long_file(files, size), size)
    for size in hole_tokens:
        tell(f"{size} tokens")
        yield from _holes(writer, files, seed, size)
    for size in documents:
        tell(f"{size} open documents")
        yield from _documents(writer, files, seed, size)


def long_file(files: Sequence[SourceFile], lines: int) -> SourceFile:
    """So many lines of the files' text, which is repeated where it is not enough."""
    material = [line for file in files for line in file.text.splitlines()]
    repeated = material * -(-lines // len(material))
    return SourceFile(f"{lines} lines", "\n".join(repeated[:lines]), files[0].language)


def _file(writer: Writer, file: SourceFile, size: int) -> Iterator[GrowthPoint]:
    cold, warm = [], []
    for line in _in_the_middle(worth_typing(file)):
        writer.new_document()
        first, *others = _typed(writer, line)
        cold.append(first)
        warm += others
    yield from _point(Series.FILE_LINES_COLD, size, cold)
    yield from _point(Series.FILE_LINES, size, warm)


def _holes(
    writer: Writer, files: Sequence[SourceFile], seed: int, size: int
) -> Iterator[GrowthPoint]:
    """Nothing stands behind these holes, and no scope ends them, so that the limit does."""
    written = []
    for text, language in _beginnings(files, seed):
        writer.new_document()
        ask = partial(request_at, text, len(text), language=language)
        writer.write(ask(tokens=1))  # from here on the prompt is known
        written.append(writer.write(ask(extent=Extent.LINES, tokens=size)))
    yield from _point(Series.HOLE_TOKENS, size, written)


def _beginnings(files: Sequence[SourceFile], seed: int) -> list[tuple[str, str]]:
    """Texts that end in front of a line without indentation, and their languages."""
    found = []
    for file in files:
        outermost = [match.start() for match in OUTERMOST.finditer(file.text)]
        # in the last part, so that there is something to go by
        found += [(file.text[:at], file.language) for at in outermost[2 * len(outermost) // 3 :]]
    return random.Random(seed).sample(found, min(2 * LINES_EACH, len(found)))


def _documents(
    writer: Writer, files: Sequence[SourceFile], seed: int, size: int
) -> Iterator[GrowthPoint]:
    lines = choose_lines(files, size, seed)
    opened = [lines[number % len(lines)] for number in range(size)]
    writer.new_document()
    for number, line in enumerate(opened):
        writer.write(_titled(line, number).request(0))
    last = _titled(opened[-1], size - 1)
    yield from _point(Series.DOCUMENTS, size, _typed(writer, last)[1:])
    back = _titled(opened[0], 0)
    yield from _point(Series.DOCUMENTS_BACK, size, [_write(writer, back, 1)])


def _titled(line: TypedLine, number: int) -> TypedLine:
    """The same line in a document of its own, which begins unlike any other."""
    title = f"# {number}\n"
    file = SourceFile(line.file.name, title + line.file.text, line.file.language)
    return TypedLine(file, line.number + 1, line.start + len(title), line.end + len(title))


def _in_the_middle(lines: Sequence[TypedLine]) -> Sequence[TypedLine]:
    start = max(0, len(lines) // 2 - LINES_EACH // 2)
    return lines[start : start + LINES_EACH]


def _typed(writer: Writer, line: TypedLine) -> list[Written]:
    """A request before anything is typed, and warm ones."""
    return [_write(writer, line, typed) for typed in line.strokes(4, WARM_EACH)]


def _write(writer: Writer, line: TypedLine, typed: int) -> Written:
    """With the time that it takes to cut the window out."""
    text, at = line.document(typed)
    started = perf_counter()
    request = request_at(text, at, language=line.file.language)
    cutting = perf_counter() - started
    written = writer.write(request)
    return replace(written, seconds=written.seconds + cutting)


def _point(series: Series, size: int, written: Sequence[Written]) -> Iterator[GrowthPoint]:
    ms = distribution([one.ms for one in written])
    if ms is not None:
        tokens = [one.tokens for one in written if one.tokens is not None]
        yield GrowthPoint(series, size, ms, distribution(tokens))
