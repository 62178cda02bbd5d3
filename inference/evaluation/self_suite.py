"""The suite ``self``: holes in source files that training never sees."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from midfill.inference.evaluation.errors import DataDamaged
from midfill.inference.evaluation.problems import HoleKind, Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path
    from random import Random

    from midfill.inference.training.corpus.source_text import SourceText

SELF = "self"

MOST_LINES = 6
"""Lines of a hole of several, at most."""

LONGEST_SPAN = 160
"""Characters of a random span, at most."""

_ATTEMPTS = 20

Cut = tuple[int, int]
"""Start and end of a hole."""


def read_self_suite(folder: Path, seed: int) -> tuple[Problem, ...]:
    """Holes in the held-out files of a corpus.

    Raises:
        DataMissing, DataDamaged, MidfillError: there is no corpus, or it is damaged.
    """
    from midfill.inference.training.corpus.reader import read_corpus

    held_out = read_corpus(folder).held_out
    problems = cut_holes(held_out, seed)
    if not problems:
        raise DataDamaged(f"the corpus in {folder} holds out no file that a hole can be cut in")
    return problems


def cut_holes(files: Iterable[SourceText], seed: int) -> tuple[Problem, ...]:
    """One hole of each kind in each file, where it has room for one.

    Where depends on the seed and the file alone, not on which other files there are.
    """
    return tuple(
        problem for file in files for kind in HoleKind if (problem := _cut(file, kind, seed))
    )


def _cut(file: SourceText, kind: HoleKind, seed: int) -> Problem | None:
    name = f"{file.package}/{file.path}"
    draw = random.Random(f"{seed} {name} {kind}")
    for _ in range(_ATTEMPTS):
        cut = _CUTS[kind](file.text, draw)
        if cut is None:
            continue
        start, end = cut
        gold = file.text[start:end]
        if len(gold.strip()) >= 2:
            return Problem(
                name=f"{name}#{kind}",
                task=name,
                prompt=file.text[:start],
                gold=gold,
                suffix=file.text[end:],
                kind=kind,
                language=file.language,
            )
    return None


def _line(text: str, draw: Random) -> Cut | None:
    return _lines_from(text, draw, 1)


def _several(text: str, draw: Random) -> Cut | None:
    return _lines_from(text, draw, draw.randint(2, MOST_LINES))


def _rest_of_line(text: str, draw: Random) -> Cut | None:
    """From a place in front of a visible character, but not of the line's first."""
    cut = _lines_from(text, draw, 1)
    if cut is None:
        return None
    line = text[slice(*cut)].rstrip("\n")
    first = len(line) - len(line.lstrip())
    places = [place for place in range(first + 1, len(line)) if not line[place].isspace()]
    return (cut[0] + draw.choice(places), cut[0] + len(line)) if places else None


def _span(text: str, draw: Random) -> Cut | None:
    if len(text) < 2:
        return None
    start = draw.randrange(len(text) - 1)
    return start, min(len(text), start + draw.randint(2, LONGEST_SPAN))


def _lines_from(text: str, draw: Random, count: int) -> Cut | None:
    """Whole lines, the first and the last not blank; with the last one's line break."""
    lines = [line + "\n" for line in text.split("\n")]  # the last one counts, and is never cut
    if len(lines) <= count:
        return None
    first = draw.randrange(len(lines) - count)
    behind = first + count
    if not lines[first].strip() or not lines[behind - 1].strip():
        return None
    start = sum(map(len, lines[:first]))
    return start, start + sum(map(len, lines[first:behind]))


_CUTS: dict[HoleKind, Callable[[str, Random], Cut | None]] = {
    HoleKind.LINE: _line,
    HoleKind.REST_OF_LINE: _rest_of_line,
    HoleKind.LINES: _several,
    HoleKind.SPAN: _span,
}
