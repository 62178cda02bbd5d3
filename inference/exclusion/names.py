"""The names of a file: the one it was asked for by, and those that symbolic links lead to."""

from __future__ import annotations

import os
from pathlib import Path

MOST_LINKS = 40
"""A chain of more links is a circle."""


class LinksInACircle(Exception):
    """No file can be reached by the name."""


def names_of(path: str) -> list[Path]:
    """An absolute path without ``..`` in it, then that path with each link resolved in turn.

    Links that lead nowhere count as well: what they name may be there later.

    Raises:
        LinksInACircle: the links never end.
        OSError: a link cannot be read.
    """
    asked = Path(path)
    names = [_without_detours(asked)]
    if asked.is_absolute():
        # What `..` behind a link leads to shows only when the link is followed.
        for start in dict.fromkeys((names[0], asked)):
            names += _followed(start)
    return list(dict.fromkeys(names))


def _followed(path: Path) -> list[Path]:
    names: list[Path] = []
    for _ in range(MOST_LINKS + 1):
        after = _first_link_resolved(path)
        if after is None:
            return names
        path = after
        names.append(_without_detours(path))
    raise LinksInACircle


def _first_link_resolved(path: Path) -> Path | None:
    """A path with the outermost link in it replaced by what it leads to; None if there is none."""
    reached = Path(path.anchor)
    steps = path.relative_to(reached).parts
    for number, step in enumerate(steps):
        if step == "..":
            reached = reached.parent
        elif (reached / step).is_symlink():
            return Path(reached, (reached / step).readlink(), *steps[number + 1 :])
        else:
            reached /= step
    return None


def _without_detours(path: Path) -> Path:
    return Path(os.path.normpath(path))
