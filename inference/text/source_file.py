"""Reading a file that is to be filled, and finding a place in it."""

from __future__ import annotations

import re
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING

from midfill.inference.errors import UnreadableFile, UsageError
from midfill.inference.text.line_breaks import LINE_BREAK

if TYPE_CHECKING:
    from pathlib import Path

MAX_FILE_BYTES = 2 * 2**20
"""A larger file is hardly source code, and its tokens would not be read anyway."""

_PLACE = re.compile(r"(?P<line>\d+):(?P<column>\d+)")


@dataclass(frozen=True, slots=True)
class Place:
    """A line and a column, both from 1; the column counts characters."""

    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.line}:{self.column}"


def parse_place(text: str) -> Place:
    """``LINE:COL``.

    Raises:
        UsageError: it is not that.
    """
    match = _PLACE.fullmatch(text)
    if not match or not all(int(number) for number in match.groups()):
        raise UsageError(f"{text!r} is no place in a file; write LINE:COL, both from 1")
    return Place(int(match["line"]), int(match["column"]))


def parse_file_and_place(text: str) -> tuple[str, Place]:
    """``FILE:LINE:COL``; the file's name may hold colons itself.

    Raises:
        UsageError: it is not that.
    """
    file, _, column = text.rpartition(":")
    file, _, line = file.rpartition(":")
    if not file:
        raise UsageError(f"{text!r} names no place; write FILE:LINE:COL, for example app.py:12:5")
    return file, parse_place(f"{line}:{column}")


def read_source(path: Path) -> str:
    """The text of a source file, line breaks and byte order mark included.

    Raises:
        UnreadableFile: it is missing, no file, larger than 2 MB, binary, or not UTF-8.
    """
    try:
        if path.is_dir():
            raise UnreadableFile(f"{path} is a folder; name a file in it")
        if not stat.S_ISREG(path.stat().st_mode):
            raise UnreadableFile(f"{path} is no ordinary file; Midfill fills text")
        with path.open("rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
        if len(content) > MAX_FILE_BYTES:
            raise UnreadableFile(f"{path} is too large; Midfill fills files of up to 2 MB")
    except OSError as error:
        raise UnreadableFile(f"cannot read {path}: {error.strerror}") from None
    if b"\0" in content:
        raise UnreadableFile(f"{path} is a binary file; Midfill fills text")
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise UnreadableFile(
            f"{path} is not UTF-8 (byte {error.start + 1}); convert it first, "
            "for example with iconv"
        ) from None


def offset_of(text: str, place: Place) -> int:
    """Where a place is, in characters from the start of ``text``.

    The column one past a line's last character is its end.

    Raises:
        UsageError: the file has no such line, or the line no such column.
    """
    start = 0
    for _ in range(place.line - 1):
        line_break = LINE_BREAK.search(text, start)
        if line_break is None:
            lines = sum(1 for _ in LINE_BREAK.finditer(text)) + 1
            raise UsageError(f"there is no line {place.line}; the last one is {lines}")
        start = line_break.end()
    line_break = LINE_BREAK.search(text, start)
    length = (line_break.start() if line_break else len(text)) - start
    if place.column > length + 1:
        raise UsageError(
            f"there is no column {place.column} in line {place.line}; its end is {length + 1}"
        )
    return start + place.column - 1
