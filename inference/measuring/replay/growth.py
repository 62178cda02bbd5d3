"""Latency against what should not matter: long files, long holes, many open documents."""

from __future__ import annotations

import random
import re
from collections import defaultdict
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
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from midfill.inference.measuring.replay.writer import WriterWithPauses, Written
    from midfill.inference.progress import ProgressListener

FILE_LINES = (100, 200, 1_000, 2_000, 10_000, 20_000)
"""Most of them have one ten times as large."""

HOLE_TOKENS = (1, 4, 16, 64, 256)
DOCUMENTS = (1, 3, 10, 30, 100)

LINES_EACH = 4
"""Lines typed, or texts, at each size; at all sizes the same."""

LINES_EACH_FILE = 10
"""The same of files. What stands far above differs with their size, and so does now and then what
is written: a few lines would tell of that rather than of the size."""

WARM_EACH = 3
"""Warm requests of each line."""

EVERY = 4
"""Characters between two requests."""

PAUSE = 0.9
"""Seconds that those take at 52 words a minute. What a suggestion leaves of them is the engine's.

Source: Dhakal et al., Observations on Typing from 136 Million Keystrokes, CHI 2018.
"""

TYPED_DOCUMENT = 1_000
SHORT_DOCUMENT = 40
"""Lines of the document that is typed in, and of those that are only open."""

OUTERMOST = re.compile(r"^(?=[A-Za-z@])", re.MULTILINE)


class Series(StrEnum):
    """What grows, and what is measured meanwhile."""

    FILE_LINES = "lines of the file, warm"
    FILE_LINES_COLD = "lines of the file, cold"
    FILE_LINES_SERVER = "lines of the file, the language server's own share"
    HOLE_TOKENS = "tokens written"
    DOCUMENTS = "open documents, typing in one of them"
    DOCUMENTS_BACK = "open documents, back in the first of them"
    DOCUMENTS_SERVER = "open documents, the language server's own share"


@dataclass(frozen=True, slots=True)
class GrowthSample:
    """One measurement.

    Attributes:
        series: what grows.
        size: how large it is; of holes, the tokens allowed.
        line: number of the line or text that it was taken at, the same for all sizes.
        request: number of the request at that line; with ``line`` it pairs samples of two sizes.
        ms: of a suggestion, the window around the cursor cut out of the document included.
        tokens: written; None where nothing is.
    """

    series: Series
    size: int
    line: int
    request: int
    ms: float
    tokens: int | None = None


@dataclass(frozen=True, slots=True)
class GrowthPoint:
    """
    Attributes:
        series: what grows.
        size: how large it is; of holes, the tokens allowed.
        ms: as in `GrowthSample`.
        tokens: written.
    """

    series: Series
    size: int
    ms: Distribution
    tokens: Distribution | None


def growth_points(samples: Iterable[GrowthSample]) -> tuple[GrowthPoint, ...]:
    """The samples of each series and size together, sizes rising."""
    found: dict[tuple[Series, int], list[GrowthSample]] = defaultdict(list)
    for sample in samples:
        found[sample.series, sample.size].append(sample)
    points = []
    for (series, size), ones in sorted(found.items(), key=lambda item: item[0][1]):
        ms = distribution([one.ms for one in ones])
        assert ms is not None
        tokens = [one.tokens for one in ones if one.tokens is not None]
        points.append(GrowthPoint(series, size, ms, distribution(tokens)))
    return tuple(sorted(points, key=lambda point: [*Series].index(point.series)))


def measure_growth(
    writer: WriterWithPauses,
    files: Sequence[SourceFile],
    seed: int,
    listener: ProgressListener,
    *,
    file_lines: Sequence[int] = FILE_LINES,
    hole_tokens: Sequence[int] = HOLE_TOKENS,
    documents: Sequence[int] = DOCUMENTS,
) -> Iterator[GrowthSample]:
    """Measure one by one, so that whoever breaks it off has the samples until then.

    Sizes of files and of holes take turns at each line, so that noise hits all alike.

    Args:
        writer: is measured.
        files: what documents are made of.
        seed: which lines are typed.
        listener: told how far it is.
        file_lines, hole_tokens, documents: the sizes, rising.
    """
    total = LINES_EACH_FILE * len(file_lines) + len(hole_tokens) + len(documents)
    done = 0

    def tell(what: str, steps: int = 1) -> None:
        nonlocal done
        listener(Progress("measuring growth", min(1.0, done / total), what))
        done += steps

    for number, chosen in enumerate(
        choose_lines(files, LINES_EACH_FILE, seed) if file_lines else ()
    ):
        for size in file_lines:
            tell(f"a file of {size} lines")
            yield from _file(writer, in_a_file_of(files, chosen, size), size, number)
    if hole_tokens:
        tell("long holes", len(hole_tokens))
        yield from _holes(writer, files, seed, hole_tokens)
    if documents:
        yield from _documents(writer, files, seed, documents, tell)


def long_file(files: Sequence[SourceFile], lines: int) -> SourceFile:
    """So many lines of the files' text, which is repeated where it is not enough."""
    text = "\n".join(_lines(_material(files), 0, lines))
    return SourceFile(f"{lines} lines", text, files[0].language)


def in_a_file_of(files: Sequence[SourceFile], line: TypedLine, size: int) -> TypedLine:
    """The same line in the middle of a file of so many lines.

    What stands around it is the same whatever the size, as far as there is room.
    """
    material, at = _material(files), 0
    for file in files:
        if file is line.file:
            break
        at += file.text.count("\n") + 1
    at += line.number - 1
    above = size // 2
    indent = line.start - (line.file.text.rfind("\n", 0, line.start) + 1)
    lines = _lines(material, at - above, size)
    start = sum(len(one) + 1 for one in lines[:above]) + indent
    file = SourceFile(f"{size} lines", "\n".join(lines), line.file.language)
    return TypedLine(file, above + 1, start, start + line.end - line.start)


def _material(files: Sequence[SourceFile]) -> list[str]:
    return [line for file in files for line in file.text.split("\n")]


def _lines(material: Sequence[str], start: int, count: int) -> list[str]:
    """From anywhere; the first follow behind the last."""
    return [material[(start + number) % len(material)] for number in range(count)]


def _file(
    writer: WriterWithPauses, line: TypedLine, size: int, number: int
) -> Iterator[GrowthSample]:
    writer.new_document()
    for request, written in enumerate(_typed(writer, line)):
        series = Series.FILE_LINES if request else Series.FILE_LINES_COLD
        yield _sample(series, size, number, request, written)


def _holes(
    writer: WriterWithPauses, files: Sequence[SourceFile], seed: int, sizes: Sequence[int]
) -> Iterator[GrowthSample]:
    """Nothing stands behind these holes, and no scope ends them, so that the limit does."""
    for number, (text, language) in enumerate(_beginnings(files, seed)):
        writer.new_document()
        ask = partial(request_at, text, len(text), language=language)
        for size in sizes:
            # from here on the prompt is known, and a single token is all that may be believed
            writer.write(ask(extent=Extent.LINES, tokens=1))
            written = writer.write(ask(extent=Extent.LINES, tokens=size))
            yield _sample(Series.HOLE_TOKENS, size, number, 0, written)


def _beginnings(files: Sequence[SourceFile], seed: int) -> list[tuple[str, str]]:
    """Texts that end in front of a line without indentation, and their languages."""
    found = []
    for file in files:
        outermost = [match.start() for match in OUTERMOST.finditer(file.text)]
        # in the last part, so that there is something to go by
        found += [(file.text[:at], file.language) for at in outermost[2 * len(outermost) // 3 :]]
    return random.Random(seed).sample(found, min(LINES_EACH, len(found)))


def _documents(
    writer: WriterWithPauses,
    files: Sequence[SourceFile],
    seed: int,
    sizes: Sequence[int],
    tell: Callable[[str], None],
) -> Iterator[GrowthSample]:
    """One document is typed in; the others were each asked about once, and are short."""
    typed = _in_the_middle(worth_typing(long_file(files, TYPED_DOCUMENT)))
    chosen = choose_lines(files, max(sizes), seed)
    others: list[TypedLine] = []
    writer.new_document()
    for size in sizes:
        tell(f"{size} open documents")
        while len(others) < size - 1:
            line = in_a_file_of(files, chosen[len(others) % len(chosen)], SHORT_DOCUMENT)
            others.append(_titled(line, len(others) + 1))
            writer.write(others[-1].request(0))
        for number, line in enumerate(typed):
            for request, written in enumerate(_typed(writer, line)):
                if request:
                    yield _sample(Series.DOCUMENTS, size, number, request, written)
        for number, line in enumerate(others[:LINES_EACH]):
            written = _write(writer, line, 1)
            yield _sample(Series.DOCUMENTS_BACK, size, number, 0, written)


def _titled(line: TypedLine, number: int) -> TypedLine:
    """The same line in a document of its own, which begins unlike any other."""
    title = f"# {number}\n"
    file = SourceFile(line.file.name, title + line.file.text, line.file.language)
    return TypedLine(file, line.number + 1, line.start + len(title), line.end + len(title))


def _in_the_middle(lines: Sequence[TypedLine]) -> Sequence[TypedLine]:
    start = max(0, len(lines) // 2 - LINES_EACH // 2)
    return lines[start : start + LINES_EACH]


def _typed(writer: WriterWithPauses, line: TypedLine) -> Iterator[Written]:
    """A request before anything is typed, and warm ones."""
    for typed in line.strokes(EVERY, WARM_EACH):
        written = _write(writer, line, typed)
        yield written
        writer.pause(PAUSE - written.seconds)


def _write(writer: WriterWithPauses, line: TypedLine, typed: int) -> Written:
    """With the time that it takes to cut the window out."""
    text, at = line.document(typed)
    started = perf_counter()
    request = request_at(text, at, language=line.file.language)
    cutting = perf_counter() - started
    written = writer.write(request)
    return replace(written, seconds=written.seconds + cutting)


def _sample(series: Series, size: int, line: int, request: int, written: Written) -> GrowthSample:
    return GrowthSample(series, size, line, request, written.ms, written.tokens)
