"""Reading one ``.midfillignore`` or ``.gitignore``, whatever is wrong with it."""

from __future__ import annotations

import codecs
import stat
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from midfill.inference.exclusion.patterns import Patterns

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

OURS, GITS = ".midfillignore", ".gitignore"
NAMES = (OURS, GITS)

MOST_BYTES = 2**20
MOST_LINES = 20_000

ANY_CASE = sys.platform in ("win32", "darwin")
"""Whether the names of files are mostly the same in upper and lower case."""


@dataclass(frozen=True, slots=True)
class IgnoreFile:
    """What an ignore file says.

    Attributes:
        patterns: None if they cannot be known; whatever they might leave out is then left out.
        complaint: a sentence on what is wrong with the file, for the person who wrote it.
    """

    path: Path
    patterns: Patterns | None
    complaint: str = ""


def read_ignore_file(path: Path) -> IgnoreFile | None:
    """Read an ignore file; None if there is none."""
    try:
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            return None
        if not stat.S_ISREG(status.st_mode):
            return _unknown(path, "is no ordinary file")
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except (FileNotFoundError, NotADirectoryError):
        return _unknown(path, "is a link to nothing") if path.is_symlink() else None
    except OSError as error:
        return _unknown(path, f"cannot be read ({error.strerror or type(error).__name__})")
    lines, undecodable = _lines(content)
    if len(content) > MOST_BYTES or len(lines) > MOST_LINES:
        return _unknown(path, f"is larger than 1 MB or {MOST_LINES:,} lines")
    patterns = Patterns(lines, any_case=ANY_CASE)
    return IgnoreFile(path, patterns, _complaint(path, patterns.broken, undecodable))


def _lines(content: bytes) -> tuple[list[str], list[int]]:
    """The lines, and the numbers of those that are no UTF-8; these stand for the very bytes."""
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        # as some shells write it
        content = content.decode("utf-16", errors="replace").encode()
    content = content.removeprefix(codecs.BOM_UTF8)
    raw = content.split(b"\n")
    lines = [line.decode("utf-8", "surrogateescape") for line in raw]
    undecodable = [
        number
        for number, (line, text) in enumerate(zip(raw, lines, strict=True), 1)
        if line.decode("utf-8", "replace") != text
    ]
    return lines, undecodable


def _unknown(path: Path, wrong: str) -> IgnoreFile:
    return IgnoreFile(
        path, None, f"{path} {wrong}: until that is put right, nothing beside or below it is read."
    )


def _complaint(path: Path, broken: Sequence[int], undecodable: Sequence[int]) -> str:
    if broken:
        return f"{path} has no valid pattern in {_named(broken)}: only the others hold."
    if undecodable:
        return f"{path} is not UTF-8 in {_named(undecodable)}: what is meant there may not hold."
    return ""


def _named(lines: Sequence[int]) -> str:
    shown = ", ".join(map(str, lines[:3])) + (" and more" if len(lines) > 3 else "")
    return f"line{'s' * (len(lines) > 1)} {shown}"
