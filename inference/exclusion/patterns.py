"""Patterns in the syntax of ``.gitignore``, and what they say about a path."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pathspec import GitIgnoreSpec

MOST_WILDCARDS = 8
"""Stars in one pattern; the time that more of them take to match grows without bounds."""

LONGEST_PATTERN = 4096
"""Characters; no path is longer."""

_STARS = re.compile(r"\*+")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the last pattern that is about a path says.

    Attributes:
        excluded: whether the path is left out; if not, a pattern with ``!`` takes it in again.
        line: the pattern's, counted from 1.
    """

    excluded: bool
    line: int


class Patterns:
    """Some lines of patterns, compiled.

    Attributes:
        broken: the numbers, from 1, of lines that are no pattern and have no effect.
    """

    def __init__(self, lines: Iterable[str], *, any_case: bool = False) -> None:
        """
        Args:
            lines: of patterns, blank ones and comments among them.
            any_case: upper and lower case are the same.
        """
        self._any_case = any_case
        self.broken: tuple[int, ...] = ()
        self._spec = self._compile(lines)

    def verdict(self, path: str, *, is_folder: bool = False) -> Verdict | None:
        """What is said about a path, relative to where the patterns stand and with ``/`` in it.

        The folders around it are to be asked about first: what lies in one that is left out is
        left out, whatever the patterns say about it.
        """
        if self._spec is None:
            return None
        # A pattern is one line, so that none can mean a line break in particular.
        path = self._same(path).replace("\n", "\r")
        check = self._spec.check_file(f"{path}/" if is_folder else path)
        if check.include is None or check.index is None:
            return None
        return Verdict(check.include, check.index + 1)

    def _compile(self, lines: Iterable[str]) -> GitIgnoreSpec | None:
        # Loading these takes longer than all else that a document waits for.
        from pathspec import GitIgnoreSpec
        from pathspec.patterns.gitignore.spec import GitIgnoreSpecPattern

        compiled, broken = [], []
        for number, line in enumerate(lines, 1):
            pattern = GitIgnoreSpecPattern("")
            try:
                _need_bounded(line)
                pattern = GitIgnoreSpecPattern(self._same(line))
            except (ValueError, re.error, RecursionError):
                broken.append(number)
            else:
                if pattern.include is None and _means_something(line):
                    broken.append(number)
            compiled.append(pattern)
        self.broken = tuple(broken)
        if all(pattern.include is None for pattern in compiled):
            return None
        return GitIgnoreSpec(compiled, backend="simple")

    def _same(self, text: str) -> str:
        """Spellings that file systems hold to be the same name."""
        text = unicodedata.normalize("NFC", text)
        return text.casefold() if self._any_case else text


def _need_bounded(line: str) -> None:
    if len(line) > LONGEST_PATTERN or len(_STARS.findall(line)) > MOST_WILDCARDS:
        raise ValueError


def _means_something(line: str) -> bool:
    """Whether a line is there to have an effect: no comment, not blank."""
    return bool(line.strip()) and not line.startswith("#") and line.strip() != "/"
