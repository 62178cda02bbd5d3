"""Reading a hole that a tool has written into one text with a model family's markers."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from midfill.inference.service.facade.markers import FAMILIES, FILE, REPOSITORY
from midfill.inference.wire import ContextFile

if TYPE_CHECKING:
    from midfill.inference.service.facade.markers import HoleMarkers

_FILE = re.compile("|".join(map(re.escape, FILE)))
_OTHER_FILES = re.compile("|".join(map(re.escape, (*REPOSITORY, *FILE))))


@dataclass(frozen=True, slots=True)
class Hole:
    """What a tool wants filled.

    Attributes:
        prefix, suffix: text on either side.
        context: pieces of other files, in the order in which they were sent.
    """

    prefix: str
    suffix: str = ""
    context: tuple[ContextFile, ...] = ()


@dataclass(frozen=True, slots=True)
class _MarkedHole:
    """Where a set of markers stands: it begins at ``start``, its last marker at ``last``."""

    start: int
    last: int
    prefix: str
    suffix: str


def read_prompt(prompt: str) -> Hole:
    """Take a prompt apart.

    The last complete set of markers counts, since files may hold markers themselves; text behind
    the middle's marker goes on where the prefix ends. Files before the set, or at the prefix's
    beginning, become context. A prompt without a complete set is a prefix as it stands.
    """
    found = [hole for family in FAMILIES if (hole := _last_hole(prompt, family)) is not None]
    if not found:
        return Hole(prompt)
    hole = max(found, key=lambda hole: hole.last)
    files = _files(prompt[: hole.start])
    prefix = hole.prefix
    if _OTHER_FILES.match(prefix.lstrip()) and (inside := _files(prefix)):
        *others, current = inside
        files, prefix = [*files, *others], current.text or current.path
    return Hole(prefix, hole.suffix, tuple(file for file in files if file.text.strip()))


def _last_hole(prompt: str, markers: HoleMarkers) -> _MarkedHole | None:
    return _behind_prefix(prompt, markers) if markers.middle else _suffix_first(prompt, markers)


def _behind_prefix(prompt: str, markers: HoleMarkers) -> _MarkedHole | None:
    """Prefix, suffix, middle; or suffix, prefix, middle where no prefix stands in front."""
    middle = prompt.rfind(markers.middle)
    suffix = prompt.rfind(markers.suffix, 0, max(middle, 0))
    if middle < 0 or suffix < 0:
        return None
    written = prompt[middle + len(markers.middle) :]
    before, behind = (" ", " ") if markers.blanks else ("", "")
    prefix = prompt.rfind(markers.prefix, 0, suffix)
    if prefix >= 0:
        start = prefix
        prefix_text = prompt[prefix + len(markers.prefix) : suffix]
        suffix_text = prompt[suffix + len(markers.suffix) : middle]
    else:
        start = suffix
        prefix = prompt.find(markers.prefix, suffix, middle)
        if prefix < 0:
            return None
        suffix_text = prompt[suffix + len(markers.suffix) : prefix]
        prefix_text = prompt[prefix + len(markers.prefix) : middle]
    return _MarkedHole(
        start,
        middle,
        prefix_text.removeprefix(behind).removesuffix(before) + written,
        suffix_text.removesuffix(before),
    )


def _suffix_first(prompt: str, markers: HoleMarkers) -> _MarkedHole | None:
    prefix = prompt.rfind(markers.prefix)
    suffix = prompt.rfind(markers.suffix, 0, max(prefix, 0))
    if prefix < 0 or suffix < 0:
        return None
    return _MarkedHole(
        suffix,
        prefix,
        prompt[prefix + len(markers.prefix) :],
        prompt[suffix + len(markers.suffix) : prefix],
    )


def _files(text: str) -> list[ContextFile]:
    """The files in a text, each begun by a marker and its path on a line.

    The one with the hole may be the last, without a text. A repository's name and whatever else
    stands before the first are left out.
    """
    files = []
    for piece in _FILE.split(text)[1:]:
        path, _, content = piece.partition("\n")
        files.append(ContextFile(path=path, text=content))
    return files
