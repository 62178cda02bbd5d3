"""What several holes of one text are best filled with in view: around each, and before it.

Functions of held-out files lose the right sides of three of their lines. Each arm fills the three
in order; a fill is right if it is exactly what had been there. All arms fill the same holes::

    python benchmarks/several_holes.py --corpus CORPUS --out FILE.json
"""

from __future__ import annotations

import argparse
import json
import random
import re
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from midfill.inference.engine import Engine
from midfill.inference.evaluation.edit_similarity import edit_similarity
from midfill.inference.evaluation.intervals import row_mean
from midfill.inference.training.corpus.reader import read_corpus
from midfill.inference.wire import Extent, Final, InfillRequest
from midfill.lsp.fill_request import infill_request
from midfill.lsp.filling_holes import Replacement, replaced

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from midfill.inference.training.corpus.source_text import SourceText

    Around = Callable[[str, list[Replacement], list[tuple[int, int]]], str]

HOLES = 3
FUNCTION = re.compile(
    r"^(?P<indent>[ \t]*)def \w+.*:\n(?:(?P=indent)[ \t]+.*\n|[ \t]*\n){6,40}", re.M
)
RIGHT_SIDE = re.compile(r"^[ \t]+(?:[\w.]+ = |return |yield )(?P<middle>[^\n#]{6,60})$", re.M)


@dataclass(frozen=True, slots=True)
class Text:
    """A file with holes.

    Attributes:
        holes: in order, with what they held.
    """

    name: str
    text: str
    holes: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Row:
    """What one arm made of one hole; holes of one file are not independent."""

    file: str
    hole: int
    arm: str
    middle: str
    fill: str
    exact: bool
    similarity: float
    tokens: int


def texts_in(files: Sequence[SourceText], count: int, seed: int) -> list[Text]:
    """Python files with a function that has enough right sides, one function each."""
    draw = random.Random(seed)
    found = []
    for file in draw.sample(files, len(files)):
        functions = [*FUNCTION.finditer(file.text)] if file.language == "python" else []
        spans = [[m.span("middle") for m in RIGHT_SIDE.finditer(f.group())] for f in functions]
        fitting = [(f.start(), s) for f, s in zip(functions, spans, strict=True) if len(s) >= HOLES]
        if fitting:
            start, middles = draw.choice(fitting)
            chosen = sorted(draw.sample(middles, HOLES))
            holes = tuple((start + first, start + last) for first, last in chosen)
            found.append(Text(f"{file.package}/{file.path}", file.text, holes))
        if len(found) == count:
            break
    return found


def empty(text: str, earlier: list[Replacement], later: list[tuple[int, int]]) -> str:
    """All of the text, without what the later holes held."""
    return replaced(text, [*earlier, *(Replacement(first, last, "") for first, last in later)])


def marked(text: str, earlier: list[Replacement], later: list[tuple[int, int]]) -> str:
    """The later holes are ``___``."""
    return replaced(text, [*earlier, *(Replacement(first, last, "___") for first, last in later)])


def up_to_the_next(text: str, earlier: list[Replacement], later: list[tuple[int, int]]) -> str:
    """The text ends where the next hole begins."""
    return replaced(text[: later[0][0]] if later else text, earlier)


ARMS: dict[str, tuple[Around, bool]] = {
    "later holes empty": (empty, True),
    "later holes are ___": (marked, True),
    "the text ends at the next hole": (up_to_the_next, True),
    "each hole alone, the others empty": (empty, False),
}
"""What is around a hole, and whether it has the fills before it."""


def filled(engine: Engine, text: Text, arm: str) -> Iterator[Row]:
    """One row for each hole."""
    around, keeps_fills = ARMS[arm]
    fills: list[Replacement] = []
    for number, (start, end) in enumerate(text.holes):
        earlier = fills if keeps_fills else [Replacement(r.start, r.end, "") for r in fills]
        later = [*text.holes[number + 1 :]]
        seen = around(text.text, earlier, later)
        shift = sum(len(r.text) - (r.end - r.start) for r in earlier)
        request = infill_request(seen, start + shift, end + shift, Extent.LINE)
        final = _final(engine, request)
        middle = text.text[start:end]
        fills.append(Replacement(start, end, final.text))
        yield Row(
            file=text.name,
            hole=number,
            arm=arm,
            middle=middle,
            fill=final.text,
            exact=final.text.strip() == middle.strip(),
            similarity=edit_similarity(final.text.strip(), middle.strip()),
            tokens=final.tokens,
        )


def _final(engine: Engine, request: InfillRequest) -> Final:
    for event in engine.infill(request):
        if isinstance(event, Final):
            return event
    raise RuntimeError("the engine gave no final fill")


def table(rows: Sequence[Row], seed: int) -> dict[str, dict[str, object]]:
    """For each arm its means, and the paired differences from the first."""
    first = {(row.file, row.hole): row for row in rows if row.arm == next(iter(ARMS))}
    result: dict[str, dict[str, object]] = {}
    for arm in ARMS:
        ours = [row for row in rows if row.arm == arm]
        files = [row.file for row in ours]
        pairs = [(row, first[row.file, row.hole]) for row in ours]
        columns = {
            "exact": [float(row.exact) for row in ours],
            "exact_difference": [float(row.exact) - other.exact for row, other in pairs],
            "similarity": [row.similarity for row in ours],
            "similarity_difference": [row.similarity - other.similarity for row, other in pairs],
        }
        result[arm] = {
            "holes": len(ours),
            "won": sum(row.exact and not other.exact for row, other in pairs),
            "lost": sum(other.exact and not row.exact for row, other in pairs),
            **{name: asdict(row_mean(values, files, seed)) for name, values in columns.items()},
        }
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--files", type=int, default=40)
    parser.add_argument("--minutes", type=float, help="begin no further file after these")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    texts = texts_in(read_corpus(given.corpus).held_out, given.files, given.seed)
    engine = Engine()
    engine.load()
    rows: list[Row] = []
    started = time.monotonic()
    for number, text in enumerate(texts, 1):
        for arm in ARMS:
            rows += filled(engine, text, arm)
        minutes = (time.monotonic() - started) / 60
        print(f"\r{number} files, {minutes:.1f} min", end="", file=sys.stderr, flush=True)
        if given.minutes and minutes > given.minutes:
            break
    print(file=sys.stderr)
    figures = table(rows, given.seed)
    for arm, found in figures.items():
        print(f"{arm}: {json.dumps(found)}")
    settings = {"files": len({row.file for row in rows}), "seed": given.seed}
    result = {"settings": settings, "table": figures, "rows": [asdict(row) for row in rows]}
    given.out.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
