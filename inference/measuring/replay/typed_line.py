"""Lines of real files that are typed again, key by key."""

from __future__ import annotations

import ast
import random
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from midfill.inference.errors import UsageError
from midfill.inference.text.window import window_around
from midfill.inference.wire import Extent, HoleSpan, InfillRequest, Limits

if TYPE_CHECKING:
    from collections.abc import Sequence

    from midfill.inference.measuring.replay.sources import SourceFile

LINE = re.compile(r"[^\r\n]+")
CHARACTERS = range(16, 100)
"""How many visible ones a line has that is worth typing."""

NOT_CODE = ("#", "//", "/*", "*", '"""', "'''")
TOKENS = 64
PATIENCE_MS = 600_000
"""Nothing is to be cut short."""


@dataclass(frozen=True, slots=True)
class TypedLine:
    """A line that somebody types into a file in which all the rest stands already.

    Attributes:
        file: what it was taken from.
        number: of the line, from 1.
        start, end: its characters in the file; ``start`` is the first visible one.
    """

    file: SourceFile
    number: int
    start: int
    end: int

    @property
    def name(self) -> str:
        return f"{self.file.name}:{self.number}"

    @property
    def lines(self) -> int:
        """Of the whole file."""
        return self.file.text.count("\n") + 1

    def document(self, typed: int) -> tuple[str, int]:
        """The file when so many characters of the line are typed, and where the cursor is."""
        text, at = self.file.text, self.start + typed
        return text[:at] + text[self.end :], at

    def request(self, typed: int, tokens: int = TOKENS) -> InfillRequest:
        """What an editor would ask then: the rest of the line.

        Args:
            typed: characters of the line.
            tokens: to write at most.
        """
        return request_at(*self.document(typed), language=self.file.language, tokens=tokens)

    def strokes(self, every: int, most: int) -> tuple[int, ...]:
        """When to ask: at no character, then after every few, as long as something is missing.

        Args:
            every: characters between two requests.
            most: requests behind the first one.
        """
        return tuple(range(0, self.end - self.start, every))[: most + 1]


def request_at(
    text: str,
    at: int,
    *,
    language: str = "",
    extent: Extent = Extent.LINE,
    tokens: int = TOKENS,
) -> InfillRequest:
    """What an editor would ask with the cursor at a character of a document."""
    window = window_around(text, at, at)
    here = len(window.prefix)
    return InfillRequest(
        prefix=window.prefix,
        suffix=window.suffix,
        holes=(HoleSpan(start=here, end=here, extent=extent),),
        language=language,
        limits=Limits(tokens=tokens, deadline_ms=PATIENCE_MS),
    )


def choose_lines(files: Sequence[SourceFile], count: int, seed: int) -> tuple[TypedLine, ...]:
    """Lines to type, the same for the same files and seed, taken from the files in turn.

    Raises:
        UsageError: no file has a line worth typing.
    """
    chance = random.Random(seed)
    piles = []
    for file in files:
        lines = worth_typing(file)
        chance.shuffle(lines)
        piles.append(lines)
    chosen: list[TypedLine] = []
    while len(chosen) < count and any(piles):
        chosen += [pile.pop() for pile in piles if pile]
    if not chosen:
        raise UsageError("no file has a line of code to type; name others with --file")
    return tuple(chosen[:count])


def worth_typing(file: SourceFile) -> list[TypedLine]:
    """All lines of code that are neither very short nor very long."""
    prose = _lines_inside_strings(file.text)
    found, number, counted_to = [], 1, 0
    for match in LINE.finditer(file.text):
        number += file.text.count("\n", counted_to, match.start())
        counted_to = match.start()
        line = match[0]
        visible = line.strip()
        if len(visible) in CHARACTERS and not visible.startswith(NOT_CODE) and number not in prose:
            start = match.start() + len(line) - len(line.lstrip())
            found.append(TypedLine(file, number, start, start + len(visible)))
    return found


def _lines_inside_strings(text: str) -> set[int]:
    """Numbers of the lines that a Python string of several lines takes up."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError):
        return set()  # of another language
    return {
        number
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
        if (last := node.end_lineno or node.lineno) > node.lineno
        for number in range(node.lineno, last + 1)
    }
