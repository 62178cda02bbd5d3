"""Which files of a repository its owner keeps out: ``.gitignore`` and ``.midfillignore``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from pathspec import GitIgnoreSpec

NAMES = (".gitignore", ".midfillignore")
"""The later one has the last word."""


@dataclass(frozen=True, slots=True)
class Ignored:
    """The rules of a folder and of those around it, the innermost last."""

    rules: tuple[tuple[Path, GitIgnoreSpec], ...] = ()

    def within(self, folder: Path) -> Ignored:
        """These rules, and those that the folder itself has."""
        from pathspec import GitIgnoreSpec

        found = []
        for name in NAMES:
            try:
                lines = (folder / name).read_text(encoding="utf-8", errors="replace").splitlines()
            except OSError:
                continue
            found.append((folder, GitIgnoreSpec.from_lines(lines)))
        return Ignored((*self.rules, *found))

    def covers(self, path: Path, is_folder: bool) -> bool:
        """Whether a file or folder is to be left alone: the innermost rule about it decides."""
        for folder, spec in reversed(self.rules):
            relative = path.relative_to(folder).as_posix() + ("/" if is_folder else "")
            verdict = spec.check_file(relative).include
            if verdict is not None:
                return verdict
        return False
