"""A long file of real code."""

from __future__ import annotations

from typing import TYPE_CHECKING

from midfill.inference.measuring.language_server.places import NoPlace

if TYPE_CHECKING:
    from pathlib import Path


def long_file(folder: Path, lines: int, *, ascii_only: bool = False) -> str:
    """The Python files of a folder one after the other, again and again, to so many lines.

    Args:
        ascii_only: leave out files with other characters.

    Raises:
        NoPlace: there are none.
    """
    found: list[str] = []
    paths = sorted(path for path in folder.rglob("*.py") if not _hidden(path, folder))
    texts = [path.read_text("utf-8", errors="replace") for path in paths]
    while len(found) < lines:
        before = len(found)
        for text in texts:
            if text.isascii() or not ascii_only:
                found += text.splitlines()
        if len(found) == before:
            raise NoPlace(f"there is no such Python in {folder}")
    return "\n".join(found[:lines]) + "\n"


def _hidden(path: Path, folder: Path) -> bool:
    parts = path.relative_to(folder).parts
    return any(part.startswith(".") or part in ("build", "node_modules") for part in parts)
