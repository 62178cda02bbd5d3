"""The keys that somebody presses to make one change, in an editor that indents new lines."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .changes import Change

FEW = 6
"""So many characters of one line are deleted one by one; more are selected and deleted at once."""

OPENERS = (":", "{", "[", "(")
"""A line that ends like this has the next one indented more."""

_BREAK = re.compile(r"\r\n|\n|\r")
_INDENT = re.compile(r"[ \t]*")


@dataclass(frozen=True, slots=True)
class Key:
    """What one key does at the cursor.

    Attributes:
        back: so many characters before the cursor are deleted.
        text: what is inserted then; a line break comes with the editor's indentation.
    """

    back: int
    text: str


def indent_unit(text: str) -> str:
    """One level of indentation in a document: a tab, or two or four spaces."""
    indents = [_INDENT.match(line).group() for line in text.split("\n") if line.strip()]  # type: ignore[union-attr]
    indents = [indent for indent in indents if indent]
    if any(indent[0] == "\t" for indent in indents):
        return "\t"
    return "  " if any(len(indent) % 4 == 2 for indent in indents) else "    "


def keys_for(change: Change, line: str, unit: str) -> Iterator[Key]:
    """The keys of one change, the cursor standing behind what is to be removed.

    Args:
        line: what stands on the change's line before it.
        unit: one level of indentation.
    """
    removed = len(change.removed)
    if removed <= FEW and not _BREAK.search(change.removed):
        yield from [Key(1, "")] * removed
    else:
        yield Key(removed, "")
    done = ""
    while done != change.written:
        key = _next_key(done, change.written, line, unit)
        yield key
        done = done[: len(done) - key.back] + key.text


def _next_key(done: str, wanted: str, line: str, unit: str) -> Key:
    """What to press when ``done`` stands where ``wanted`` is to stand.

    ``done`` begins like ``wanted``; indentation by the editor may follow that is too much.
    """
    right = _right_part(done, wanted)
    too_much, rest = len(done) - right, wanted[right:]
    here = re.split(r"[\r\n]", line + done)[-1]
    if found := _BREAK.match(rest):
        # Editors take away the indentation of a line that was left blank.
        return Key(too_much, found.group() + _indentation(here, unit))
    if too_much:
        return Key(min(too_much, len(unit)), "")
    if not here.strip() and (blanks := _INDENT.match(rest)) and blanks.group():
        return Key(0, blanks.group()[: len(unit) - len(here) % len(unit)])
    return Key(0, rest[0])


def _right_part(done: str, wanted: str) -> int:
    pairs = enumerate(zip(done, wanted, strict=False))
    return next((at for at, (a, b) in pairs if a != b), min(len(done), len(wanted)))


def _indentation(line: str, unit: str) -> str:
    """What an editor puts at the start of the line after this one."""
    indent = _INDENT.match(line)
    assert indent is not None
    return indent.group() + (unit if line.rstrip().endswith(OPENERS) else "")
