"""Holes to measure with, cut from the source files that Python brings along.

They are on every machine and differ between versions of Python only.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from midfill.inference.errors import MidfillError
from midfill.inference.text.window import window_around
from midfill.inference.wire import Extent, HoleSpan, InfillRequest, Limits

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

MODULES = ("textwrap", "shlex", "calendar")
"""Each gives one hole of a kind."""

TOKENS = {Extent.LINE: 64, Extent.BLOCK: 64}
"""The longest fill of each kind."""

PATIENCE_MS = 600_000
"""Nothing is to be cut short."""

BLOCK_LINES = range(4, 13)
LINE_CHARACTERS = range(18, 70)


@dataclass(frozen=True, slots=True)
class Place:
    """A hole in a file.

    Attributes:
        name: module and line.
        text: the whole file.
        start, end: the hole's characters; it begins with the first visible one.
        extent: how far a fill may go.
    """

    name: str
    text: str
    start: int
    end: int
    extent: Extent

    def request(self, number: int, *, typed: int = 0, tokens: int | None = None) -> InfillRequest:
        """What an editor would ask.

        Args:
            number: of the file; files of different numbers have no beginning in common.
            typed: characters of what stood in the hole that somebody has typed again.
            tokens: at most; by default as many as its kind may have.
        """
        title = f"# {number}\n"
        text = title + self.text
        start, end = len(title) + self.start, len(title) + self.end
        text = text[: start + typed] + text[end:]
        window = window_around(text, start + typed, start + typed)
        at = len(window.prefix)
        return InfillRequest(
            prefix=window.prefix,
            suffix=window.suffix,
            holes=(HoleSpan(start=at, end=at, extent=self.extent),),
            language="python",
            limits=Limits(tokens=tokens or TOKENS[self.extent], deadline_ms=PATIENCE_MS),
        )


def places(extent: Extent, modules: Sequence[str] | None = None) -> tuple[Place, ...]:
    """One hole of each module.

    Args:
        extent: `Extent.LINE` for the last statement of a function, `Extent.BLOCK` for a function's
            body.
        modules: of the standard library; by default `MODULES`.

    Raises:
        MidfillError: their sources are not here.
    """
    found = []
    for module in MODULES if modules is None else modules:
        text = _source(module)
        holes = list(_holes(text, extent))
        if holes:
            start, end, line = holes[len(holes) // 2]  # in the middle there is text on both sides
            found.append(Place(f"{module}.py:{line}", text, start, end, extent))
    if not found:
        raise MidfillError("this Python's own modules have no hole to measure with: use CPython's")
    return tuple(found)


def _source(module: str) -> str:
    spec = find_spec(module)
    path = Path(spec.origin) if spec and spec.origin else None
    if path is None or not path.is_file():
        raise MidfillError(
            f"the source of Python's module {module} is not here, and holes are cut from it: "
            "use a Python that was installed with its library"
        )
    return path.read_text("utf-8")


def _holes(text: str, extent: Extent) -> Iterator[tuple[int, int, int]]:
    """Start, end and line of each hole of a kind, rising."""
    lines = text.splitlines(keepends=True)
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line))
    for function in ast.walk(ast.parse(text)):
        if not isinstance(function, ast.FunctionDef):
            continue
        body = function.body[ast.get_docstring(function) is not None :]
        if len(body) < 2:
            continue
        first = body[0].lineno if extent is Extent.BLOCK else body[-1].lineno
        last = body[-1].end_lineno or first
        line = lines[first - 1]
        start = starts[first - 1] + len(line) - len(line.lstrip())
        end = starts[last] - 1  # in front of the line break
        wanted = (
            len(range(first, last + 1)) in BLOCK_LINES
            if extent is Extent.BLOCK
            else first == last and end - start in LINE_CHARACTERS
        )
        if wanted:
            yield start, end, first
